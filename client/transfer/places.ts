// Places outside of the cluster for queries: makes what they hold readable for tasks, and writes rows to them, by the connectors of import
// and export.

import { GristmillError } from '../../src/base/errors.ts'
import type { CallMessage } from '../call/cluster.ts'
import { referFiles } from './refer.ts'
import { checkPlace, stageFiles, stageTable, writePlace, type StageDeps, type StagedTable } from './stage.ts'
import { checkDestination, exportTo, importFrom, readExportOptions, type ExportOptions } from './transfer.ts'

type ImportParts = Parameters<typeof importFrom>[0]
type ExportParts = Parameters<typeof exportTo>[0]

interface PlacesDeps extends ImportParts, ExportParts {
  readonly ask: CallMessage
  readonly random: ImportParts['random'] & StageDeps['random']
  readonly vault: Parameters<typeof referFiles>[0]['vault']
}

type Reading = Pick<Parameters<typeof stageTable>[0], 'importFile' | 'refer'>

const readingOf = (deps: PlacesDeps): Reading => ({
  importFile: (from, path, signal) => importFrom(deps, from, path, { signal }),
  refer: (from, directory, signal) => referFiles(deps, from, { directory, signal }),
})

export async function readPlace(deps: PlacesDeps, url: string, signal: AbortSignal | undefined): Promise<StagedTable> {
  const { httpFetch: fetch, openPostgres, clock, random, objects } = deps
  if (!fetch || !openPostgres) throw new GristmillError('CONFIG_INVALID', 'this process reaches nothing outside of the cluster')
  return stageTable({
    ...deps, ...readingOf(deps), openPostgres, importing: { fetch, clock, random, objects },
  }, url, signal)
}

/** The same for a program: a table of PostgreSQL becomes JSON lines with the types of JSON. */
export function copyPlace(deps: PlacesDeps, url: string, signal: AbortSignal | undefined): Promise<StagedTable> {
  return stageFiles({ ...deps, ...readingOf(deps) }, url, signal)
}

interface WriteOptions extends ExportOptions {
  /** Path at which `make` publishes, or finds, what is moved. Default: one that is gone then. */
  readonly via?: string | undefined
}

/** Throws EINVAL for options that the place does not have, before anything is computed. */
export async function writeTo(
  deps: PlacesDeps, url: string, make: (path: string) => Promise<void>, { via, ...given }: WriteOptions,
): ReturnType<typeof writePlace> {
  const options = readExportOptions(given)
  checkDestination(url, options)
  if (via !== undefined) {
    checkPlace(url)
    await make(via)
    const { files, note } = await exportTo(deps, via, url, options)
    return { files, ...note !== undefined && { note } }
  }
  return writePlace({ ...deps, exportFiles: path => exportTo(deps, path, url, { ...options, isOnce: true }) }, url, make, options.signal)
}
