"""Making a new .eval archive out of another one and some members that are new.

Members that stay are copied as they are, compressed, so that a change of one sample costs neither the memory nor the
time of all of them, and leaves the bytes of the others alone.
"""

import copy
import shutil
import struct
from collections.abc import Iterable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

LOCAL_HEADER = struct.Struct("<4s22xHH")
SIGNATURE = b"PK\x03\x04"
HAS_DESCRIPTOR = 0x08
ZIP64_EXTRA = 1


def _without_zip64(extra: bytes) -> bytes:
    """The extra fields of a member without the one that zipfile writes anew when it is needed (APPNOTE 4.5.3)."""
    kept = b""
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        if kind != ZIP64_EXTRA:
            kept += extra[: 4 + size]
        extra = extra[4 + size :]
    return kept


class _Section:
    """The next bytes of a file."""

    def __init__(self, file: "ZipFile", size: int):
        self.file, self.left = file, size

    def read(self, size: int) -> bytes:
        data = self.file.fp.read(min(size, self.left))  # type: ignore[union-attr]
        self.left -= len(data)
        return data


def _copy_member(source: ZipFile, info: ZipInfo, target: ZipFile) -> None:
    assert source.fp and target.fp
    source.fp.seek(info.header_offset)
    signature, name_size, extra_size = LOCAL_HEADER.unpack(source.fp.read(LOCAL_HEADER.size))
    if signature != SIGNATURE:
        raise ValueError(f"the archive is damaged at its member {info.filename}")
    source.fp.seek(name_size + extra_size, 1)
    target.fp.seek(target.start_dir)
    copied = copy.copy(info)
    copied.header_offset = target.fp.tell()
    copied.flag_bits &= ~HAS_DESCRIPTOR
    copied.extra = _without_zip64(info.extra)
    target.fp.write(copied.FileHeader())
    section = _Section(source, info.compress_size)
    shutil.copyfileobj(section, target.fp, 1 << 20)
    if section.left:
        raise ValueError(f"the archive is cut off in its member {info.filename}")
    target.filelist.append(copied)
    target.NameToInfo[copied.filename] = copied
    target.start_dir = target.fp.tell()
    target._didModify = True  # type: ignore[attr-defined]


def merge(base: Path, changes: Path, target: Path, taken: Iterable[str], texts: dict[str, bytes], dropped: str) -> None:
    """Writes an archive with the members of `base`, some of which are replaced.

    Args:
        base: The archive to begin with; of members of one name the last counts.
        changes: The archive that has what is new.
        target: The file to write.
        taken: Names of members that come from `changes`.
        texts: Members that are written from memory.
        dropped: Beginning of the names of members of `base` that are left out.
    """
    taken = set(taken)
    with ZipFile(base) as old, ZipFile(changes) as new, ZipFile(target, "w", ZIP_DEFLATED) as out:
        for name, info in old.NameToInfo.items():
            if name not in taken and name not in texts and not name.startswith(dropped):
                _copy_member(old, info, out)
        for name in sorted(taken):
            _copy_member(new, new.getinfo(name), out)
        for name, text in texts.items():
            out.writestr(name, text)
