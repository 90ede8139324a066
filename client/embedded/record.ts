// File `embedded-cluster.json` in which a home records that it has an embedded cluster. With it, a data directory that is gone or empty (a
// link to a disk that is not mounted) is refused: the cluster would be made anew there, and later disappear below the mounted disk.
// Another cluster in its place, such as the disk of another home, is refused too. The process that runs the cluster is in a file of the
// data directory (discovery/running.ts), which goes away with the directory.
// Homes of earlier versions get the file when their cluster is next opened.

import { GristmillError } from '../../src/base/errors.ts'
import type { ClusterId } from '../../src/base/ids.ts'
import type { Disk } from '../../src/ports/disk.ts'
import { isText, readHomeFile, writeHomeFile } from '../discovery/homefile.ts'
import { clusterOf } from '../discovery/lostnamenode.ts'
import { whyAway } from '../discovery/remembered.ts'

interface EmbeddedRecord {
  readonly format: 1
  readonly cluster: string
}

const recordFile = (home: string): string => `${home}/embedded-cluster.json`

const read = (disk: Disk, home: string): Promise<EmbeddedRecord | undefined> =>
  readHomeFile<EmbeddedRecord>(disk, {
    path: recordFile(home), format: 1, about: 'the embedded cluster of this home',
    advice: 'restore the file; or check that the data of the embedded cluster is there, and remove the file',
    parse: ({ cluster }) => (isText(cluster) ? { format: 1, cluster } : undefined),
  })

/** Throws UNAVAILABLE if the home has had an embedded cluster that is not in `dir`, CONFIG_INVALID if the record cannot be read. */
export async function refuseAwayEmbedded(disk: Disk, home: string, dir: string): Promise<void> {
  const recorded = await read(disk, home)
  if (!recorded) return
  const found = await clusterOf(disk, `${dir}/namenode`)
  const isOther = found !== undefined && found !== recorded.cluster
  const away = isOther ? `it is ${recorded.cluster}; the cluster that is there is ${found}` : await whyAway(disk, dir)
  if (away === undefined) return
  const instead = isOther ? 'the cluster that is there is used' : 'an empty cluster is made'
  throw new GristmillError(
    'UNAVAILABLE',
    `the embedded cluster of this home has its data in ${dir}, and ${away}: mount its disk, or bring the directory back; or select another cluster with --cluster, or another home with --home. If the data is gone for good, remove ${recordFile(home)}, and ${instead}`,
    { details: { dir, file: recordFile(home) } },
  )
}

/** REQUIRES: the home exists. */
export async function recordEmbedded(disk: Disk, home: string, cluster: ClusterId): Promise<void> {
  if ((await read(disk, home))?.cluster !== cluster) await writeHomeFile(disk, recordFile(home), { format: 1, cluster })
}
