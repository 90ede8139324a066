// Lists of datanodes in files, as HDFS has them: those that may join (`hosts`), and those that are decommissioned (`hostsExclude`). The
// files are read again while the namenode runs; a file that cannot be read then leaves the list as it was.

import { asError, GristmillError } from '../../src/base/errors.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Log } from '../../src/ports/log.ts'

/** Paths of the two files. */
export interface HostFiles {
  readonly include?: string | undefined
  readonly exclude?: string | undefined
}

/** A datanode as it registers. */
interface Place { readonly node: string; readonly address: string; readonly host: string }

/** Far more than the entries of a cluster of ten thousand nodes. */
const fileBytesMax = 2 ** 20

/** Entries that one warning names. */
const entriesTold = 20
/** Reads of the files, every two seconds, after which a datanode that is there has registered. */
const readsUntilMissed = 30

interface HostsDeps {
  readonly disk: Pick<Disk, 'readFile'>
  readonly log: Log
}

export class HostLists {
  readonly #deps: HostsDeps
  readonly #files: HostFiles
  #included: ReadonlySet<string> = new Set()
  #excluded: ReadonlySet<string> = new Set()
  /** Entries that have matched no datanode, and the number of reads since each was seen. */
  #unmatched = new Map<string, number>()
  /** Last complaint about a file: each is logged once. */
  #complaint: string | undefined

  constructor(deps: HostsDeps, files: HostFiles = {}) {
    this.#deps = deps
    this.#files = files
  }

  /** false: there are no such files. */
  get isUsed(): boolean { return this.#files.include !== undefined || this.#files.exclude !== undefined }

  /** At the start, without lists from before. Throws CONFIG_INVALID for a file that cannot be read. */
  async open(): Promise<void> {
    try {
      await this.#read()
    } catch (thrown) {
      const { message } = asError(thrown)
      throw new GristmillError('CONFIG_INVALID', `a hosts file cannot be read: ${message}`, { cause: thrown })
    }
  }

  async reload(): Promise<void> {
    try {
      await this.#read()
      this.#complaint = undefined
    } catch (thrown) {
      const { message } = asError(thrown)
      if (message !== this.#complaint) this.#deps.log.warn('a hosts file cannot be read; the lists stay as they were', { error: thrown })
      this.#complaint = message
    }
  }

  /**
   * Warns once of entries that no datanode has: of a minute, because datanodes register after the namenode's start. `places`: all that are
   * known, the dead ones too. REQUIRES: called after each `reload`.
   */
  warnOfUnmatched(places: readonly Place[]): void {
    const { include, exclude } = this.#files
    const before = this.#unmatched
    this.#unmatched = new Map()
    const names = new Set(places.flatMap(namesOf))
    for (const [file, list] of [[include, this.#included], [exclude, this.#excluded]] as const) {
      const missing = [...list].filter(entry => !names.has(entry))
      for (const entry of missing) this.#unmatched.set(`${file} ${entry}`, (before.get(`${file} ${entry}`) ?? 0) + 1)
      const told = missing.filter(entry => this.#unmatched.get(`${file} ${entry}`) === readsUntilMissed)
      if (told.length > 0)
        this.#deps.log.warn('no datanode has this host, address or id, which a hosts file names', {
          file, entries: told.slice(0, entriesTold).join(' '), count: told.length,
        })
    }
  }

  async #read(): Promise<void> {
    const { include, exclude } = this.#files
    const included = await this.#listIn(include)
    const excluded = await this.#listIn(exclude)
    if (!same(included, this.#included) || !same(excluded, this.#excluded))
      this.#deps.log.info('the lists of datanodes are in effect', { included: included.size, excluded: excluded.size })
    this.#included = included
    this.#excluded = excluded
  }

  async #listIn(file: string | undefined): Promise<ReadonlySet<string>> {
    if (file === undefined) return new Set()
    const bytes = await this.#deps.disk.readFile(file)
    if (bytes.length > fileBytesMax)
      throw new GristmillError('EINVAL', `${file} has ${bytes.length} bytes; at most ${fileBytesMax} are read`)
    return entriesOf(bytes.toString('utf8'))
  }

  /** Throws EACCES for a datanode that is not in the include list, if that has any. */
  admit(place: Place): void {
    if (this.#included.size === 0 || isIn(this.#included, place)) return
    const { node, address, host } = place
    throw new GristmillError(
      'EACCES',
      `the datanode ${node} at ${address} (host ${host}) is not in ${this.#files.include!}, the hosts file of the namenode; `
      + 'once its host, its address or its id is in there, it is admitted when it tries again',
      { details: { node, address, caller: 'datanode' } },
    )
  }

  /** The file that excludes the datanode; undefined: none does. */
  excluding(place: Place): string | undefined { return isIn(this.#excluded, place) ? this.#files.exclude : undefined }
}

/** Hosts, addresses or ids, separated by white space; `#` begins a comment. */
const entriesOf = (text: string): ReadonlySet<string> =>
  new Set(text.split('\n').flatMap(line => line.replace(/#.*$/, '').split(/\s+/)).filter(word => word !== ''))

/** Names under which a file may have a datanode. */
const namesOf = ({ node, address, host }: Place): string[] => [node, address, host, address.slice(0, address.lastIndexOf(':'))]

const isIn = (list: ReadonlySet<string>, place: Place): boolean => namesOf(place).some(name => list.has(name))

const same = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean => a.size === b.size && [...a].every(each => b.has(each))
