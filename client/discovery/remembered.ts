// File `up.json` in which `gristmill up` remembers the cluster of a home while none of its processes runs: data directory, ports, number of
// datanodes, and the settings given as flags.
// Invariant: no file, an unreadable file, and a data directory that is not there are three answers. Only the first means that this home
// has no cluster: a disk that is not mounted must not make commands use another cluster.

import { GristmillError } from '../../src/base/errors.ts'
import { stampName } from '../../src/home/home.ts'
import type { Disk } from '../../src/ports/disk.ts'
import { isText, readHomeFile, writeHomeFile } from './homefile.ts'

export interface Remembered {
  readonly format: 1
  readonly dir: string
  /** undefined: the secret file in `dir`. */
  readonly secretFile?: string | undefined
  /** undefined: the number of datanode directories. */
  readonly datanodes?: number | undefined
  /** Ports by process name: `namenode`, `datanode2`. */
  readonly ports: Readonly<Record<string, number>>
  /** Settings given as flags, by name, as text. Settings from variables and the settings file are read again each time. */
  readonly said: Readonly<Record<string, string>>
  /** Data directories of earlier clusters of this home, the last one first. */
  readonly earlier?: readonly string[] | undefined
}

/** Directories in `earlier`. */
export const earlierMax = 16

/** `away`: reason why the data directory cannot be used; undefined if it is there. */
interface LastCluster {
  readonly remembered: Remembered
  readonly away: string | undefined
}

const upFile = (home: string): string => `${home}/up.json`
export const clusterDirectory = (home: string): string => `${home}/cluster`
export const logDirectory = (dir: string): string => `${dir}/log`

/** undefined: this home never had a cluster of `up`. Throws CONFIG_INVALID if the file cannot be read. */
export async function readRemembered(disk: Disk, home: string): Promise<LastCluster | undefined> {
  const remembered = await readHomeFile<Remembered>(disk, {
    path: upFile(home), format: 1, about: 'the cluster that "gristmill up" created in this home',
    advice: 'restore the file, or move it away and start the cluster from its data directory: gristmill up --dir DIRECTORY (--cluster embedded selects the embedded cluster)',
    parse: parsed,
  })
  if (remembered) return { remembered, away: await whyAwayFrom(disk, home, remembered.dir) }
  // Created by a version that did not write this file: in the default directory.
  const dir = clusterDirectory(home)
  if (!await disk.stat(`${dir}/namenode`, { follow: true })) return undefined
  return { remembered: { format: 1, dir, ports: {}, said: {} }, away: undefined }
}

export const remember = (disk: Disk, home: string, remembered: Remembered): Promise<void> => writeHomeFile(disk, upFile(home), remembered)

/** Error for every command that would use the cluster of this home, and for an `up` that was not given another directory. */
export function awayCluster(home: string, dir: string, away: string): GristmillError {
  return new GristmillError(
    'UNAVAILABLE',
    `the cluster of this home has its data in ${dir}, and ${away}: mount its disk, or bring the directory back; or start a cluster elsewhere with "gristmill up --dir DIRECTORY"; or select another one with --cluster. If the data is gone for good, remove ${upFile(home)}`,
    { details: { dir, file: upFile(home) } },
  )
}

/** Error for an `up` in the directory of an earlier cluster of this home, which would make a new cluster there. */
export function awayEarlier(home: string, dir: string, away: string): GristmillError {
  return new GristmillError(
    'UNAVAILABLE',
    `an earlier cluster of this home has its data in ${dir}, and ${away}: mount its disk, or bring the directory back; or give another directory with --dir. If the data is gone for good, remove the directory from "earlier" in ${upFile(home)}`,
    { details: { dir, file: upFile(home) } },
  )
}

/**
 * Reason why a directory of `up` cannot be used. `up` writes the stamp before it remembers the directory: without it, the directory is
 * for instance the mount point of a disk.
 */
export async function whyAway(disk: Disk, dir: string): Promise<string | undefined> {
  try {
    if (await disk.stat(`${dir}/${stampName}`)) return undefined
    const found = await disk.stat(dir, { follow: true })
    if (!found) return await disk.stat(dir) ? 'that is a link whose target is not there' : 'that directory is not there'
    return found.kind === 'directory' ? `that directory has no ${stampName}` : 'that is not a directory'
  } catch (error) {
    return `that directory cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`
  }
}

/** The same, with the cluster at the default place of the home, if there is one: the home, whose old path is remembered, may have moved. */
async function whyAwayFrom(disk: Disk, home: string, dir: string): Promise<string | undefined> {
  const why = await whyAway(disk, dir)
  const here = clusterDirectory(home)
  if (why === undefined || here === dir || await whyAway(disk, here) !== undefined) return why
  return `${why} (there is a cluster in ${here}: if this home was moved, start that one with "gristmill up --dir ${here}")`
}

/** True if both paths lead to one directory. A path that leads nowhere is compared as text. */
export async function isSameDirectory(disk: Disk, a: string, b: string): Promise<boolean> {
  if (a === b) return true
  const [one, other] = await Promise.all([a, b].map(each => disk.stat(each, { follow: true }).catch(() => undefined)))
  return one?.path !== undefined && one.path === other?.path
}

function parsed({ dir, secretFile, datanodes, ports, said, earlier }: Readonly<Record<string, unknown>>): Remembered | undefined {
  if (!isText(dir) || !isTable(ports, 'number') || !isTable(said, 'string')) return undefined
  if (secretFile !== undefined && !isText(secretFile)) return undefined
  if (datanodes !== undefined && !(Number.isSafeInteger(datanodes) && Number(datanodes) > 0)) return undefined
  if (earlier !== undefined && !(Array.isArray(earlier) && earlier.every(isText))) return undefined
  return {
    format: 1, dir, ports: ports as Remembered['ports'], said: said as Remembered['said'],
    ...secretFile !== undefined && { secretFile }, ...datanodes !== undefined && { datanodes: datanodes as number },
    ...earlier !== undefined && { earlier: earlier as string[] },
  }
}

const isTable = (value: unknown, of: string): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(each => typeof each === of)
