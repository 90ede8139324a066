// Calls the check of a program with the output that its job has computed. INVARIANT: an output passes only if the check has returned
// nothing, and every read of it has succeeded.

import { hasCode } from '../../src/base/errors.ts'
import { readFormatOf, type InputOptions } from '../../src/base/formats.ts'
import { join } from '../../src/base/paths.ts'
import type { WriteNode } from '../../src/plan/node.ts'
import type { ComputedOutput } from '../../src/program/definition.ts'
import { stat } from '../../src/protocol/namespace.ts'
import type { TaskWork } from '../../src/protocol/task.ts'
import { show } from '../../src/protocol/version.ts'
import { StoredContents } from './outputcontents.ts'
import type { ExecutorSession } from './session.ts'

/** The check has refused the output: it has thrown `cause`, or returned a reason. */
export class CheckRefused extends Error {
  override name = 'CheckRefused'
}

interface CheckOptions {
  readonly session: ExecutorSession
  readonly work: TaskWork & { readonly input: Extract<TaskWork['input'], { kind: 'output' }> }
  /** Format of the output. */
  readonly written: WriteNode['output']
  readonly check: (output: ComputedOutput) => unknown
  readonly pause: () => Promise<void> | undefined
}

const reasonCharsMax = 2_000

/** Throws CheckRefused, and errors of the cluster. */
export async function checkOutput({ session, work, written, check, pause }: CheckOptions): Promise<void> {
  const failures: unknown[] = []
  const deps = { session, pause, onFailure: (error: unknown) => void failures.push(error) }
  const { input: { path, rows }, staging } = work
  const format = formatOf(written)
  const contents = await StoredContents.open(deps, { path, directory: join(staging, 'output'), format, count: rows })
  const before = await previousOf(session, path)
  const previous = before && await StoredContents.open(deps, { ...before, format })
  let verdict: unknown
  let thrown: { readonly cause: unknown } | undefined
  try {
    verdict = await check(Object.assign(contents, { previous }))
  } catch (cause) {
    thrown = { cause }
  }
  // Not what the check makes of it: it has not seen the output.
  if (failures.length > 0) throw failures[0]
  if (thrown) throw new CheckRefused(messageOf(thrown.cause), thrown)
  if (verdict === undefined || verdict === null) return
  if (typeof verdict === 'string') throw new CheckRefused(verdict.slice(0, reasonCharsMax) || 'it gave an empty reason')
  throw new CheckRefused(`it returned ${shown(verdict)}; it returns nothing for an output that is good, or the reason why it is not, as a text`)
}

const formatOf = ({ format, delimiter, header }: WriteNode['output']): InputOptions =>
  ({ format: readFormatOf(format), ...delimiter !== undefined && { delimiter }, ...header !== undefined && { header } })

interface Previous { readonly path: string; readonly directory: string; readonly count?: number | undefined }

/** Directory that the output will replace, by its version, so that it stays the same while the check reads it; undefined: there is none. */
async function previousOf({ caller, setup }: ExecutorSession, path: string): Promise<Previous | undefined> {
  try {
    const { type, id, version: number } = await caller.call(setup.namenode, stat, { path })
    if (type !== 'directory') return undefined
    if (number === undefined) return { path, directory: path }
    const { version } = await caller.call(setup.namenode, show, { path, version: String(number) })
    const at = `${path}@${number}`
    const named = await caller.call(setup.namenode, stat, { path: at })
    // A directory of that name hides the version.
    return named.id === id ? { path: at, directory: at, count: version.rows } : { path, directory: path, count: version.rows }
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}

const messageOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown))

function shown(value: unknown): string {
  const kind = typeof value
  return kind === 'object' || kind === 'function' ? `${kind === 'object' ? 'an' : 'a'} ${kind}` : String(value)
}
