// Refuses to start a namenode beside datanodes whose own namenode directory is missing, in the directory of an embedded cluster or of
// `up`. A new namenode is another cluster: it would answer that there are no files, and could not use these blocks.

import { GristmillError } from '../../src/base/errors.ts'
import { stampName } from '../../src/home/home.ts'
import type { Disk } from '../../src/ports/disk.ts'

/** Throws CONFIG_INVALID if no namenode has run in `dir/namenode`, and a datanode in `dir` has registered with one. */
export async function refuseLostNamenode(disk: Disk, dir: string): Promise<void> {
  const namenode = `${dir}/namenode`
  if (await clusterOf(disk, namenode) !== undefined) return
  const [bound] = await datanodesBeside(disk, dir)
  if (!bound) return
  throw new GristmillError(
    'CONFIG_INVALID',
    `${namenode} holds no namenode, and ${bound.dir} has blocks of cluster ${bound.cluster}, whose namenode was there: mount its disk, ` +
    `or bring the directory back; or rebuild it with "gristmill namenode recover --dir ${namenode} --backup DIRECTORY". A new namenode ` +
    'would be another cluster without these blocks; for that, give another directory',
    { details: { dir: namenode } },
  )
}

/** Directories of datanodes in `dir` that have registered with a namenode, with its cluster. */
export async function datanodesBeside(disk: Disk, dir: string): Promise<{ dir: string; cluster: string }[]> {
  const found: { dir: string; cluster: string }[] = []
  if ((await disk.stat(dir, { follow: true }))?.kind !== 'directory') return found
  for (const { name } of await disk.list(dir)) {
    const cluster = /^datanode\d*$/.test(name) ? await clusterOf(disk, `${dir}/${name}`) : undefined
    if (cluster !== undefined) found.push({ dir: `${dir}/${name}`, cluster })
  }
  return found
}

/** Cluster in the stamp of a directory. undefined: it has no stamp, or none that can be read, which the process of the directory tells. */
export async function clusterOf(disk: Disk, dir: string): Promise<string | undefined> {
  try {
    const { cluster } = JSON.parse((await disk.readFile(`${dir}/${stampName}`)).toString('utf8')) as { cluster?: string }
    return cluster
  } catch {
    return undefined
  }
}
