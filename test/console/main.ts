// npm run test:console: the console in a real browser, Chromium, on a cluster of real processes. Each step prints its name; the first that
// fails ends the run. `--screens DIR` keeps pictures of each page in both themes, `--large` uploads 1 GiB and shows 10,000 tasks, `--step
// NAME` takes this step only. Without a browser (CHROMIUM, or /usr/bin/chromium) it says so loudly and succeeds; with CI=true it fails.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startCluster, type TestCluster } from '../kit/cluster.ts'
import { evil, openPage, picture, serve, type Stage, type Step } from './stage.ts'
import { killedNode, lostConnection } from './steps/faults.ts'
import { histories, uploadAndDownload } from './steps/files.ts'
import { jobs, rerun } from './steps/jobs.ts'
import { costs } from './steps/costs.ts'
import { eachPage, keyboard, manyNames } from './steps/pages.ts'
import { endedSession, forgery, login } from './steps/sessions.ts'
import { queries } from './steps/sql.ts'
import { accessKeys } from './steps/users.ts'

const { values: { screens, large: isLarge = false, step: only } } = parseArgs({
  options: { screens: { type: 'string' }, large: { type: 'boolean' }, step: { type: 'string', multiple: true } },
})

const browserPath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'

const steps: readonly Step[] = [
  login, eachPage, keyboard, manyNames, uploadAndDownload, queries, accessKeys, histories, jobs, rerun, forgery, endedSession, costs,
  lostConnection, killedNode,
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

async function main(): Promise<void> {
  const { chromium } = await import('playwright-core')
  const dir = await mkdtemp(join(tmpdir(), 'gristmill-console-'))
  const browser = await chromium.launch({ executablePath: browserPath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
  const cluster = await startCluster({ datanodes: 2, settings: { GRISTMILL_REPLICATION: '2' } })
  const errors: string[] = []
  try {
    await prepare(cluster)
    const page = await openPage(await browser.newContext({ viewport: { width: 1360, height: 860 } }), errors)
    const stage: Stage = { cluster, browser, dir, page, errors, screens, isLarge, ...await serve(cluster, 0) }
    try {
      for (const step of steps.filter(({ name }) => name === 'login' || only === undefined || only.includes(name))) {
        console.log(step.name)
        await step(stage).catch(async (error: unknown) => {
          await picture(stage, 'failed')
          throw error
        })
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
  console.log('test:console: all steps passed')
}

if (existsSync(browserPath)) await main()
else {
  console.log(`test:console: SKIPPED, NOTHING WAS TESTED: there is no browser at ${browserPath}; install chromium, or name one with CHROMIUM`)
  if (process.env['CI'] === 'true') process.exitCode = 1
}
