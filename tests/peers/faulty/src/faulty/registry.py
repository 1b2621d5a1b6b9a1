"""What Inspect finds through the entry point `faulty`."""

from faulty.going_wrong import Faulty, fault, faulty, slow_box, waiting_approver

__all__ = ["Faulty", "fault", "faulty", "slow_box", "waiting_approver"]
