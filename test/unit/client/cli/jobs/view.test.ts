// Output about jobs, stages and tasks, from fixed job states: failures with the user's own stack frames, counters and locality.

import { expect, test } from 'vitest'
import { failureLines } from '../../../../../client/cli/errors.ts'
import {
  counterLines, jobLines, jobRow, localityLine, placesLine, stageLine, summaryLines, taskLines,
} from '../../../../../client/cli/jobs/view.ts'
import { attemptId, jobId, nodeId } from '../../../../../src/base/ids.ts'
import { resultsDirectory, type AttemptStatus, type JobStatus, type TaskStatus } from '../../../../../src/protocol/job.ts'

const job = jobId('j1')

const attempt = (task: number, tried: number, more: Partial<AttemptStatus> = {}): AttemptStatus => ({
  attempt: attemptId({ job, stage: 0, task, attempt: tried }),
  node: nodeId('n1'), host: 'mill1', locality: 'node', state: 'done', startedMs: 1000, finishedMs: 2500, fraction: 1,
  counters: { recordsIn: 1234 }, ...more,
})

const status: JobStatus = {
  job, name: 'wordcount', user: 'ada', state: 'failed', version: 9, output: '/words', submittedMs: 1000, finishedMs: 4400,
  failure: {
    code: 'TASK_FAILED', message: 'task 0.1 failed 4 times: boom',
    stack: 'Error: boom\n    at map (words.ts:3:9)\n    at internal',
    record: { path: '/in.txt', offset: 77 },
  },
  stages: [
    {
      name: 'map', state: 'failed', tasks: 2, running: 1, done: 1, failedAttempts: 4, fraction: 0.5, startedMs: 1100, finishedMs: 4300,
      counters: { recordsIn: 1234, bytesIn: 4096 },
    },
    { name: 'reduce', state: 'waiting', tasks: 1, running: 0, done: 0, failedAttempts: 0, fraction: 0, counters: {} },
  ],
  counters: { recordsIn: 1234, bytesReadLocal: 3072, bytesReadRemote: 1024, 'user.odd': 1.5 },
}

test('a failed job shows its failure, the record and the frames of the user, then stages and counters', () => {
  const text = jobLines(status, 9000).join('\n')
  expect(text).toContain('took       3.4 s')
  expect(text).toContain('read       local 3.0 KiB (75%), rack 0 B (0%), remote 1.0 KiB (25%)')
  expect(text).toContain('failure\n  task 0.1 failed 4 times: boom\n  at record: /in.txt, byte 77\n      at map (words.ts:3:9)')
  expect(text).toMatch(/^0 map +failed +2 +1 +1 +4 +1,234 +0 +4\.0 KiB +0 B +3\.2 s$/m)
  expect(text).toMatch(/^1 reduce +not run .* -$/m)
  expect(text).toMatch(/ {2}bytesReadLocal +3,072 \(3\.0 KiB\)\n {2}bytesReadRemote .*\n {2}recordsIn +1,234\n {2}user\.odd +1\.5$/)
})

test('a kept output is said to be there for publishing, or, if it is not what the tasks have written, for copying', () => {
  const kept = { ...status, kept: { untilMs: 0, bytes: 1024 } }
  const shown = (code: 'EEXIST' | 'CORRUPT'): string => jobLines({ ...kept, failure: { code, message: 'no' } }, 9000).join('\n')
  expect(shown('EEXIST')).toMatch(/kept +1\.0 KiB until .*, for gristmill job publish j1 --output PATH, or gristmill job drop j1/)
  expect(shown('CORRUPT')).toMatch(/kept +1\.0 KiB until .*, for copying, or gristmill job drop j1/)
})

test('a job that succeeded is summed up in a few lines, which name its output and the commands that show more', () => {
  const done: JobStatus = {
    ...status, state: 'succeeded', output: '/words',
    stages: [
      { ...status.stages[0]!, state: 'done', counters: { recordsIn: 1234, bytesIn: 4096, recordsOut: 9000 } },
      { ...status.stages[1]!, state: 'done', counters: { recordsIn: 9000, recordsOut: 1, bytesOut: 7 } },
    ],
    counters: { recordsIn: 1234, bytesIn: 4096, recordsOut: 1, bytesOut: 7, badRecords: 2, 'user.odd': 3, 'user.even': 4 },
  }
  expect(summaryLines(done)).toEqual([
    'succeeded in 3.4 s: read 1,234 records (4.0 KiB), wrote 1 record (7 B) to /words',
    '  user.even  4',
    '  user.odd   3',
    'warning: 2 records did not parse and were left out (badRecords: "skip")',
    "output: gristmill cat '/words/part-*'; stages and counters: gristmill job j1",
  ])
  expect(summaryLines({ ...done, output: '/a b\n' }).at(-1)).toContain("gristmill cat '/a b'$'\\n''/part-*'; ")
  expect(summaryLines({ ...done, output: '/a[1]' }).at(-1)).toContain("gristmill ls '/a[1]'; ")
  // Such an output has no part-*, which cat would not find.
  for (const counters of [{ recordsIn: 1 }, { recordsIn: 1, recordsOut: 0, bytesOut: 0 }])
    expect(summaryLines({ ...done, counters }).at(-1)).toBe('output, which is empty: gristmill ls /words; stages and counters: gristmill job j1')
})

test('the command that shows an output fits its format: no bytes of Parquet or Avro on a terminal', () => {
  const done: JobStatus = { ...status, state: 'succeeded', counters: { recordsIn: 1, bytesIn: 4, recordsOut: 1, bytesOut: 7 } }
  const lookAt = (output: string, extension: string): string =>
    summaryLines({ ...done, output }, `${output}/part-00000.${extension}`).at(-1)!.split(';')[0]!
  for (const extension of ['txt', 'csv', 'jsonl']) expect(lookAt('/words', extension)).toBe("output: gristmill cat '/words/part-*'")
  for (const extension of ['parquet', 'avro']) expect(lookAt('/words', extension)).toBe(`output: gristmill sql "FROM '/words'"`)
  expect(lookAt('/$HOME/a b', 'parquet')).toBe(`output: gristmill sql 'FROM '\\''/$HOME/a b'\\'''`)
  expect(lookAt("/it's", 'parquet')).toBe(`output: gristmill sql "FROM '/it''s'"`)
  expect(lookAt('/a[1]', 'parquet')).toBe("output: gristmill ls '/a[1]'")
})

test('an output whose name ends as a file of another format is said to be a directory', () => {
  const done: JobStatus = { ...status, state: 'succeeded', counters: { recordsOut: 1, bytesOut: 7 } }
  const notes = (output: string, part: string): string[] => summaryLines({ ...done, output }, part).filter(line => line.startsWith('note'))
  expect(notes('/rows.csv', '/rows.csv/part-00000.parquet')).toEqual([
    'note: /rows.csv is a directory of files in Parquet, in spite of its name; a query writes CSV with --format csv',
  ])
  expect(notes('/rows.csv', '/rows.csv/part-00000.txt')).toEqual(['note: /rows.csv is a directory of files in text, in spite of its name'])
  expect(notes('/rows.CSV', '/rows.CSV/part-00000.csv')).toEqual([])
  expect(notes('/rows.ndjson', '/rows.ndjson/part-00000.jsonl')).toEqual([])
  expect(notes('/v1.2', '/v1.2/part-00000.txt')).toEqual([])
  expect(notes('/rows', '/rows/part-00000.parquet')).toEqual([])
})

test('records that are not counted, as those that DuckDB reads, are no zero', () => {
  const counters = { bytesIn: 4096, recordsOut: 4, bytesOut: 7 }
  const query: JobStatus = {
    ...status, state: 'succeeded', counters,
    stages: [{ ...status.stages[0]!, state: 'done', counters: { ...counters, bytesIn: 20 } }, status.stages[1]!],
  }
  expect(summaryLines(query)[0]).toBe('succeeded in 3.4 s: read 4.0 KiB, wrote 4 records (7 B) to /words')
  expect(summaryLines({ ...query, counters: {} })[0]).toBe('succeeded in 3.4 s: read 0 records, wrote 0 records to /words')
  const lines = jobLines(query, 9000)
  expect(lines.find(line => line.startsWith('0 map'))).toMatch(/^0 map +done +2 +1 +1 +4 +- +4 +20 B +7 B +/)
  expect(lines.find(line => line.startsWith('1 reduce'))).toMatch(/^1 reduce .* 0 +0 +0 B +0 B +-$/)
  const tasks: TaskStatus[] = [{ stage: 0, task: 0, state: 'done', attempts: [attempt(0, 0, { counters })] }]
  expect(taskLines({ state: 'succeeded' }, tasks, 9000)[1]).toMatch(/^0\.0\.0 +done +mill1 +with its data +- +1\.5 s$/)
})

test('records that were read otherwise than they were written, or left out, are the last that is said', () => {
  const lines = (counters: Record<string, number>) => jobLines({ ...status, counters: { recordsIn: 9, ...counters } }, 9000).slice(-4)
  expect(lines({ invalidUtf8Records: 1, badRecords: 1234 })).toEqual([
    '',
    expect.stringMatching(
      /^warning: 1 record held bytes that are not UTF-8, read as U\+FFFD; .*--encoding windows1252 \(or latin1\) of run, or encoding: /,
    ),
    '',
    'warning: 1,234 records did not parse and were left out (badRecords: "skip")',
  ])
  expect(lines({}).join()).not.toContain('warning')
})

test('stages count what is done, running and failed, and only say what there is', () => {
  expect(stageLine(status.stages[0]!)).toBe('1 of 2 tasks, 1 running, 4 failed attempts')
  expect(stageLine(status.stages[1]!)).toBe('0 of 1 task')
})

test('no locality is claimed where nothing was read from blocks', () => {
  expect(localityLine({ recordsIn: 5 })).toBeUndefined()
  expect(localityLine({ bytesReadRack: 10 })).toBe('local 0 B (0%), rack 10 B (100%), remote 0 B (0%)')
})

test('only attempts that won count for the places, and each attempt has a row', () => {
  const failure = { code: 'TASK_FAILED', message: 'boom\nmore' }
  const tasks: TaskStatus[] = [
    { stage: 0, task: 0, state: 'done', attempts: [attempt(0, 0, { state: 'failed', locality: 'any', failure }), attempt(0, 1)] },
    { stage: 0, task: 1, state: 'done', attempts: [attempt(1, 0, { locality: 'rack' })] },
    { stage: 0, task: 2, state: 'waiting', attempts: [] },
  ]
  expect(placesLine(tasks)).toBe('1 on a node with the data, 1 on its rack, 0 elsewhere')
  const lines = taskLines({ state: 'failed' }, tasks, 9000)
  expect(lines).toHaveLength(5)
  expect(lines[1]).toMatch(/^0\.0\.0 +failed +mill1 +elsewhere +1,234 +1\.5 s +boom$/)
  expect(lines[4]).toMatch(/^0\.2 +not run$/)
  expect(placesLine([])).toBeUndefined()
})

test('counters of the user come last, failures without a stack are just their message', () => {
  expect(counterLines({ 'user.a': 1, spills: 2 })).toEqual(['  spills  2', '  user.a  1'])
  expect(failureLines({ code: 'X', message: 'out of memory' })).toEqual(['out of memory'])
})

test('a job that publishes nothing has no output, and one of a schedule names that', () => {
  const drive = { ...status, output: `${resultsDirectory}/351a7f57` }
  expect(jobLines(drive, 9000).join('\n')).not.toMatch(/^output|results/m)
  expect(jobRow(drive, 9000).at(-1)).toBe('-')
  expect(jobLines({ ...status, parent: jobId('j0') }, 9000).join('\n')).toMatch(/^schedule   j0\noutput     \/words$/m)
  expect(jobRow(status, 9000).at(-1)).toBe('/words')
})
