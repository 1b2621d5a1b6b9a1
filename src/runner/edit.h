/* Edit: the runner of an edit of samples, which works on one log and leaves. */
#ifndef HAWK_RUNNER_EDIT_H
#define HAWK_RUNNER_EDIT_H

/* hawk runner edit FOLDER. The folder holds edits.jsonl, a line for each edit, and edit.json,
   {"log": path, "inspect_ai": version or null}; it gets new.eval, unless the log has all of the
   edits already, and then exit.json, as the folder of a job does. Returns the exit status: 0 done,
   1 failed, 2 wrong arguments, 78 the edits cannot be applied, 130 told to end. */
int edit_main(int argc, char **argv);

#endif
