// npm run test:console: the console in a real browser, Chromium, on a cluster of real processes. Each step prints its name; the first that
// fails ends the run, and so does the end of its time (`--minutes`, default: 12, and 60 with `--large`). `--screens DIR` keeps pictures of
// each page in both themes, `--large` uploads 1 GiB, lists 100,000 names and shows 10,000 tasks, `--step NAME` takes this step only.
// Without a browser (browser.ts) it says so loudly and succeeds, or fails with `--required`.

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startCluster, type TestCluster } from '../kit/cluster.ts'
import { findBrowser } from './browser.ts'
import { evil, openPage, picture, serve, type Stage, type Step } from './stage.ts'
import { killedNode, lostConnection } from './steps/faults.ts'
import { changesByOthers, histories, uploadAndDownload } from './steps/files.ts'
import { jobs, rerun } from './steps/jobs.ts'
import { costs } from './steps/costs.ts'
import { longDay } from './steps/day.ts'
import { eachPage, keyboard, manyNames } from './steps/pages.ts'
import { copiedTable, times } from './steps/tables.ts'
import { endedSession, forgery, login } from './steps/sessions.ts'
import { queries } from './steps/sql.ts'
import { accessKeys } from './steps/users.ts'

const { values: { screens, large: isLarge = false, step: only, minutes, required = false } } = parseArgs({
  options: {
    screens: { type: 'string' }, large: { type: 'boolean' }, step: { type: 'string', multiple: true }, minutes: { type: 'string' },
    required: { type: 'boolean' },
  },
})

/** Steps beyond it fail: a browser that hangs holds up no other check. */
const limitMs = Number(minutes ?? (isLarge ? 60 : 12)) * 60_000

const steps: readonly Step[] = [
  login, eachPage, keyboard, copiedTable, times, manyNames, uploadAndDownload, changesByOthers, queries, accessKeys, histories, jobs, rerun,
  forgery, endedSession, longDay, costs, lostConnection, killedNode,
]

async function prepare(cluster: TestCluster): Promise<void> {
  const event = (i: number): string => JSON.stringify({ at: i, user: `user ${i % 17}`, tags: ['a', '<i>'], ok: i % 3 === 0 })
  const events = Array.from({ length: 3_000 }, (_, i) => event(i))
  const rows = Array.from({ length: 3_000 }, (_, i) => `${i},"${['Paris', 'Oslo', '<b>Lima</b>'][i % 3]}",${(i * 7.31) % 900}`)
  await cluster.ok(['mkdir', '/data'])
  await cluster.ok(['put', '-', '/data/events.jsonl'], `${events.join('\n')}\n`)
  await cluster.ok(['put', '-', `/data/${evil}`], `id,<script>alert(3)</script>,amount\n${rows.join('\n')}\n`)
  await cluster.ok(['put', '--block-size', '65536', '-', '/data/words.txt'], 'the quick brown fox jumps over the lazy dog\n'.repeat(20_000))
  await cluster.ok(['run', 'gristmill:wordcount', '--input', '/data/words.txt', '--output', '/counts'])
  await cluster.ok(['run', 'gristmill:wordcount', '--input', '/data/events.jsonl', '--output', '/counts', '--overwrite'])
  await cluster.ok(['sql', '-o', '/loads', "SELECT range AS id, {'grain': 'rye', 'tonnes': range * 0.5} AS load FROM range(2000)"])
}

/** Rejects when the time of the run is over. */
const timeOver = new Promise<never>((_, reject) => {
  setTimeout(() => reject(new Error(`the run took more than ${limitMs / 60_000} minutes; --minutes allows more`)), limitMs).unref()
})
timeOver.catch(() => {})

async function main(browserPath: string): Promise<void> {
  const begun = performance.now()
  const { chromium } = await import('playwright-core')
  const dir = await mkdtemp(join(tmpdir(), 'gristmill-console-'))
  const browser = await chromium.launch({ executablePath: browserPath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
  const cluster = await startCluster({ datanodes: 2, settings: { GRISTMILL_REPLICATION: '2' } })
  const errors: string[] = []
  try {
    await Promise.race([prepare(cluster), timeOver])
    const page = await openPage(await browser.newContext({ viewport: { width: 1360, height: 860 } }), errors)
    const stage: Stage = { cluster, browser, dir, page, errors, screens, isLarge, ...await serve(cluster, 0) }
    try {
      for (const step of steps.filter(({ name }) => name === 'login' || only === undefined || only.includes(name))) {
        const since = performance.now()
        console.log(step.name)
        await Promise.race([step(stage), timeOver]).catch(async (error: unknown) => {
          await picture(stage, 'failed')
          throw error
        })
        console.log(`  ${((performance.now() - since) / 1000).toFixed(1)} s`)
        assert.deepEqual(errors, [])
      }
    } finally {
      await stage.gateway.end('SIGTERM')
    }
  } finally {
    await browser.close()
    await cluster[Symbol.asyncDispose]()
    await rm(dir, { recursive: true, force: true })
  }
  console.log(`test:console: all steps passed, in ${Math.round((performance.now() - begun) / 1000)} s`)
}

assert.ok(limitMs > 0, '--minutes is a number above 0')
// A browser that does not even close is left behind.
setTimeout(() => process.exit(1), limitMs + 60_000).unref()
const found = findBrowser(process.env)
if (found !== undefined) await main(found)
else {
  console.log('test:console: SKIPPED, NOTHING WAS TESTED IN A BROWSER: there is none; install chromium (apt-get install chromium), '
    + 'or name one with CHROMIUM')
  if (required) process.exitCode = 1
}
