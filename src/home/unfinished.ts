// Files that a killed process has left while it wrote them with `Disk.writeFileDurable`, before they got their names. The owner of a
// directory removes them when it opens it; in a directory without an owner, those of processes that run stay.

import type { Disk } from '../ports/disk.ts'

/** Name of such a file, with the id of the process that writes it (src/world/disk.ts). */
const form = /^\..+\.(\d+)\.\d+\.tmp$/

/** `writes`: whether the process with this id may still be writing; default: none may. */
export async function removeUnfinished(disk: Disk, directory: string, writes: (pid: number) => boolean = () => false): Promise<void> {
  for (const { name, kind } of await disk.list(directory)) {
    const [, pid] = form.exec(name) ?? []
    if (pid !== undefined && kind === 'file' && !writes(Number(pid))) await disk.remove(`${directory}/${name}`)
  }
}
