// npm run test:console: the console in a real browser, Chromium, on a cluster of real processes. Each step prints its name; the first that
// fails ends the run. `--screens DIR` keeps pictures of each page in both themes, `--large` uploads 1 GiB, `--step NAME` takes this step
// only. Without a browser (CHROMIUM, or /usr/bin/chromium) it says so loudly and succeeds; with CI=true it fails.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { connect, type SqlExplanation } from '../../client/index.ts'
import { startCluster, until, type TestCluster } from '../kit/cluster.ts'
import { ServerProcess } from '../kit/process/server.ts'
import { root } from '../tidy/source.ts'

const { values: { screens, large, step: only } } = parseArgs({
  options: { screens: { type: 'string' }, large: { type: 'boolean' }, step: { type: 'string', multiple: true } },
})

/** A name that runs a script wherever it is taken for HTML. */
const evil = '<img src=x onerror=alert(1)>"\'&.csv'
const namesCount = 2_500
const waitMs = 60_000

const browserPath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'

interface Stage {
  readonly cluster: TestCluster
  readonly browser: Browser
  readonly dir: string
  /** A page that is logged in. */
  readonly page: Page
  gateway: ServerProcess
  url: string
  /** Errors of all pages so far. */
  readonly errors: string[]
}

async function linkOf({ cluster, url }: Pick<Stage, 'cluster' | 'url'>): Promise<string> {
  return (JSON.parse(await cluster.ok(['console', '--json', '--at', url])) as { link: string }).link
}

async function serve(cluster: TestCluster, port: number) {
  const gateway = new ServerProcess({ role: 'gateway', args: ['--console', String(port)], env: cluster.env })
  const { endpoints: { console: url } } = await gateway.ready() as unknown as { endpoints: { console: string } }
  return { gateway, url }
}

/** A page whose errors, dialogs and requests to other hosts are errors of the run. */
async function openPage(context: BrowserContext, errors: string[]): Promise<Page> {
  const page = await context.newPage()
  page.setDefaultTimeout(waitMs)
  page.on('pageerror', error => { errors.push(`error of the page: ${error.message}`) })
  page.on('console', message => {
    if (message.type() === 'error' && !message.text().startsWith(expected)) errors.push(`console: ${message.text()}`)
  })
  page.on('dialog', dialog => { errors.push(`a script ran: ${dialog.message()}`); void dialog.dismiss() })
  page.on('request', request => {
    if (new URL(request.url()).hostname !== '127.0.0.1') errors.push(`a request to ${request.url()}`)
  })
  return page
}

/** The browser logs each answer that is an error, and each connection that is refused: the page has to show them. */
const expected = 'Failed to load resource'

const goTo = async ({ page, url }: Pick<Stage, 'page' | 'url'>, path: string): Promise<void> => {
  await page.goto(url + path)
  await page.locator('main h1').waitFor()
  await until('the contents of the page', async () => await page.locator('.spinner').count() === 0)
}

const says = (page: Page, text: string | RegExp): Promise<void> => page.getByText(text).first().waitFor()

const pages = (job: string, node: string): readonly string[] => [
  '/', '/nodes', `/nodes/${node}`, '/files/', '/files/data', `/files/data/${encodeURIComponent(evil)}`, '/files/data/events.jsonl',
  '/files/counts?show=versions', '/files/counts?show=lineage', '/files/data?show=snapshots', '/files/data?show=attributes',
  '/files/loads/part-00000.parquet', '/files/loads/part-00000.parquet?part=groups',
  '/trash', '/sql', '/queues', '/tables', '/users', `/compare?a=${job}&b=${job}`, '/jobs', `/jobs/${job}`, '/files/no/such', '/nowhere',
]

async function login({ page, url, cluster, browser, errors }: Stage): Promise<void> {
  const link = await linkOf({ cluster, url })
  const begun = performance.now()
  await page.goto(link)
  await page.locator('.health').waitFor()
  console.log(`  first page after ${Math.round(performance.now() - begun)} ms`)
  assert.equal(page.url(), `${url}/`)
  const [cookie] = await page.context().cookies()
  assert.equal(`${cookie?.httpOnly} ${cookie?.sameSite} ${await page.evaluate('document.cookie')}`, 'true Strict ')
  const thief = await openPage(await browser.newContext(), errors)
  await thief.goto(link)
  await says(thief, /the link was used before/)
  await thief.goto(`${url}/jobs`)
  await says(thief, 'gristmill console')
  await thief.context().close()
}

interface Violation { readonly id: string; readonly nodes: { readonly html: string; readonly failureSummary: string }[] }

async function eachPage(stage: Stage): Promise<void> {
  const axe = await readFile(join(root, 'node_modules/axe-core/axe.min.js'), 'utf8')
  const { page, cluster } = stage
  const [job] = (await cluster.ok(['jobs', '--json'])).trim().split('\n').map(line => (JSON.parse(line) as { job: string }).job)
  const mill = await connect({ address: cluster.namenode.address, secretFile: cluster.secretFile })
  const { nodes: [node] } = await mill.clusterStatus()
  await mill.close()
  const told: string[] = []
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    for (const [i, path] of pages(job!, node!.node).entries()) {
      await page.setViewportSize({ width: 1360, height: 860 })
      await goTo(stage, path)
      // Through the protocol of the browser: the policy of the page lets no script in.
      await page.evaluate(axe)
      const { violations } = await page.evaluate('axe.run()') as { violations: Violation[] }
      told.push(...violations.map(({ id, nodes: [first] }) => `${path} in ${colorScheme}: ${id}: ${first?.html} ${first?.failureSummary}`))
      const name = `${String(i).padStart(2, '0')}-${colorScheme}`
      if (screens !== undefined) await page.screenshot({ path: join(screens, `${name}.png`), fullPage: true })
      await page.setViewportSize({ width: 360, height: 740 })
      const wide = await page.evaluate('document.documentElement.scrollWidth') as number
      if (wide > 360) told.push(`${path} is ${wide} pixels wide on a phone`)
      if (screens !== undefined) await page.screenshot({ path: join(screens, `${name}-phone.png`) })
    }
  }
  assert.deepEqual(told, [])
  await page.setViewportSize({ width: 1360, height: 860 })
  await page.emulateMedia({ colorScheme: 'light' })
}

async function keyboard(stage: Stage): Promise<void> {
  const { page } = stage
  await goTo(stage, '/')
  await page.keyboard.press('Tab')
  assert.equal(await page.evaluate('document.activeElement.textContent'), 'Skip to the page')
  for (let i = 0; i < 10 && await page.evaluate('document.activeElement.textContent.trim()') !== 'Jobs'; i++) await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.waitForURL('**/jobs')
  const focused = 'document.activeElement.tagName === "H1" && document.title === "Jobs · gristmill"'
  await until('the focus on the title', async () => await page.evaluate(focused) === true)
  await page.goBack()
  await says(page, 'All is well')
}

async function manyNames(stage: Stage): Promise<void> {
  const { page, cluster } = stage
  const mill = await connect({ address: cluster.namenode.address, secretFile: cluster.secretFile })
  await mill.mkdir('/many')
  for (let from = 0; from < namesCount; from += 100)
    await Promise.all(Array.from({ length: 100 }, (_, i) => mill.mkdir(`/many/d${String(from + i).padStart(5, '0')}`)))
  await mill.close()
  await goTo(stage, '/files/many')
  for (let tries = 0; tries < 50; tries++) {
    await page.locator('.scroll').hover()
    await page.mouse.wheel(0, 200_000)
    if (await page.getByText(`d${String(namesCount - 1).padStart(5, '0')}/`).isVisible()) break
    await page.waitForTimeout(100)
  }
  await says(page, `d${String(namesCount - 1).padStart(5, '0')}/`)
  await says(page, `${namesCount.toLocaleString('en-US')} names`)
  assert.ok(await page.locator('tbody tr').count() < 150, 'all rows are in the document')
}

async function uploadAndDownload(stage: Stage): Promise<void> {
  const { page, dir, cluster } = stage
  const bytes = large ? 1024 ** 3 : 24 * 1024 ** 2
  const piece = Buffer.from(Array.from({ length: 1024 ** 2 }, (_, i) => 97 + (i * 7) % 26))
  const [file, hash] = [join(dir, 'upload.bin'), createHash('sha256')]
  const handle = openSync(file, 'w')
  for (let at = 0; at < bytes; at += piece.length) { writeSync(handle, piece); hash.update(piece) }
  await goTo(stage, '/files/data')
  await page.locator('input[type=file]').setInputFiles(file)
  await says(page, 'Stored /data/upload.bin')
  await cluster.ok(['get', '/data/upload.bin', join(dir, 'back.bin')])
  const sum = (path: string): string => spawnSync('sha256sum', [path], { encoding: 'utf8' }).stdout.slice(0, 64)
  assert.equal(sum(join(dir, 'back.bin')), hash.digest('hex'))
  await page.getByRole('link', { name: 'upload.bin' }).click()
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download' }).click()])
  assert.equal(sum(await download.path()), sum(file))
  await page.getByRole('button', { name: 'Remove…' }).click()
  await page.getByRole('button', { name: 'Move to trash' }).click()
  await says(page, 'Moved /data/upload.bin to the trash')
  await goTo(stage, '/trash')
  await page.getByRole('button', { name: 'Restore /data/upload.bin' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Restore' }).click()
  await says(page, 'Restored /data/upload.bin')
}

/** Waits in its map function until it is killed. */
const slow = `import { mapReduce } from 'gristmill'
export default mapReduce({
  input: { format: 'lines' },
  async map(line, context) { console.log('<b>waits</b>'); await new Promise(resolve => setTimeout(resolve, 3_600_000)) },
  reduce() {},
})
`

const failing = `import { mapReduce } from 'gristmill'
export default mapReduce({
  input: { format: 'lines' },
  map(line) { throw new Error('cannot read <script>alert(2)</script>') },
  reduce() {},
})
`

async function jobs(stage: Stage): Promise<void> {
  const { page, dir, cluster } = stage
  for (const [name, text] of [['slow', slow], ['failing', failing]] as const) await writeFile(join(dir, `${name}.ts`), text)
  await goTo(stage, '/jobs')
  const input = ['--input', '/data/events.jsonl']
  const start = (name: string) => cluster.run(['run', '--detach', join(dir, `${name}.ts`), ...input, '--output', `/${name}`])
  const [, failed] = await Promise.all([says(page, 'failing'), start('failing')])
  assert.equal(failed.code, 0, failed.stderr)
  await page.getByRole('link', { name: 'failing', exact: true }).click()
  await says(page, /cannot read <script>alert\(2\)<\/script>/)
  await says(page, /failing\.ts:4/)
  await start('slow')
  await goTo(stage, '/jobs?state=running')
  await page.getByRole('link', { name: 'slow', exact: true }).click()
  await says(page, 'running')
  await page.getByRole('button', { name: 'Kill…' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Kill' }).click()
  await says(page, 'cancelled')
  await page.getByRole('button', { name: 'Attempts and log' }).first().click()
  await says(page, '<b>waits</b>')
}

/** A plan of several stages, which a query over small files does not have. */
const measured = { rows: 7, bytesIn: 8192, bytesOut: 512, bytesLocal: 4096, seconds: 1.5, failedAttempts: 0 }
const dividedPlan: SqlExplanation = {
  place: 'job', text: 'result: <b>\n',
  stages: [
    {
      name: 'groups', tasks: 3, sources: [], sql: '', columns: [], measured,
      inputs: [{ kind: 'table', table: '/data/<i>', columns: ['a'], all: false }],
    },
    {
      name: 'result', tasks: 1, sources: [0], sql: '', columns: [], measured, gathered: 'median over all rows',
      inputs: [{ kind: 'stage', stage: 0, how: 'exchange by hash' }],
    },
  ],
}

async function queries(stage: Stage): Promise<void> {
  const { page } = stage
  await goTo(stage, '/sql')
  const editor = page.getByLabel('Query in SQL')
  await editor.fill("SELECT id % 7 AS day, sum(amount) AS amount, '<img src=x onerror=alert(4)>' AS \"<b>\" FROM '/data/ev")
  // Typing asks for completion; a text that is filled in does not.
  await editor.press('End')
  await editor.pressSequentially('e')
  await page.getByRole('option', { name: '/data/events.jsonl' }).waitFor()
  await editor.press('Escape')
  await editor.fill(`SELECT "user", count(*) AS events, '<img src=x onerror=alert(4)>' AS "<b>" FROM '/data/events.jsonl' GROUP BY ALL ORDER BY 1`)
  await editor.press('Control+Enter')
  await says(page, '17 rows')
  await says(page, '<img src=x onerror=alert(4)>')
  if (screens !== undefined) await page.screenshot({ path: join(screens, 'sql.png'), fullPage: true })
  await page.getByRole('button', { name: 'Chart' }).click()
  await page.locator('.sqlchart rect').first().waitFor()
  assert.equal(await page.locator('.sqlchart rect').count(), 17)
  if (screens !== undefined) await page.screenshot({ path: join(screens, 'sql-chart.png'), fullPage: true })
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export' }).click()])
  assert.equal((await readFile(await download.path(), 'utf8')).trim().split('\n').length, 18)
  await page.getByRole('button', { name: 'Explain' }).click()
  await says(page, /in this process/)
  await page.route('**/api/sql/plan', route => {
    assert.deepEqual(JSON.parse(route.request().postData()!), { sql: 'SELECT 1', analyze: true })
    return route.fulfill({ json: dividedPlan })
  })
  await editor.fill('SELECT 1')
  await page.getByRole('button', { name: 'Analyze' }).click()
  await says(page, 'reads: exchange by hash')
  await says(page, '1.5 s · 7 rows out')
  await says(page, '8.0 KiB in, 50 % local')
  if (screens !== undefined) await page.screenshot({ path: join(screens, 'sql-plan.png'), fullPage: true })
  await page.unroute('**/api/sql/plan')
  await editor.fill('SELECT * FROM range(1000000000) a, range(1000000000) b ORDER BY hash(a.range, b.range) LIMIT 1')
  await page.getByRole('button', { name: 'Run' }).click()
  await page.getByRole('button', { name: 'Cancel' }).click()
  await says(page, 'The query was cancelled')
  await editor.fill("SELECT * FROM '/data/none.csv' -- <script>alert(5)</script>")
  await page.getByRole('button', { name: 'Run' }).click()
  await page.getByRole('alert').waitFor()
}

async function accessKeys(stage: Stage): Promise<void> {
  const { page } = stage
  await goTo(stage, '/users')
  await page.getByRole('button', { name: 'Add…' }).click()
  await page.getByLabel('Name').fill('<b>ada')
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  await page.getByRole('button', { name: 'New key of <b>ada' }).click()
  await page.getByRole('button', { name: 'Make', exact: true }).click()
  const id = await page.getByLabel('Access key id').inputValue()
  assert.match(await page.getByLabel('Secret').inputValue(), /^\S{20,}$/)
  if (screens !== undefined) await page.screenshot({ path: join(screens, 'key.png') })
  await page.getByRole('button', { name: 'Done' }).click()
  await page.getByLabel('Secret').waitFor({ state: 'detached' })
  await page.getByRole('button', { name: `Remove the key ${id}` }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
  await says(page, `Removed the key ${id}`)
}

async function histories(stage: Stage): Promise<void> {
  const { page, cluster } = stage
  await goTo(stage, '/files/counts?show=versions')
  await page.getByRole('button', { name: 'Changes of version 2' }).click()
  await says(page, /rows added/)
  await page.getByRole('button', { name: 'Roll back to version 1' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Roll back' }).click()
  await says(page, '/counts is version 3, with the contents of version 1')
  assert.match(await cluster.ok(['cat', '/counts/part-00000']).catch(() => cluster.ok(['cat', '/counts/*'])), /fox/)
  await goTo(stage, '/files/counts?show=lineage')
  await says(page, 'fresh')
  await page.getByRole('link', { name: '/data/words.txt' }).click()
  await page.waitForURL('**/files/data/words.txt')
  await goTo(stage, '/files/data?show=snapshots')
  await page.getByRole('button', { name: 'Take a snapshot…' }).click()
  await page.getByLabel('Name').fill('before')
  await page.getByRole('button', { name: 'Take', exact: true }).click()
  await cluster.ok(['put', '-', '/data/<b>later.txt'], 'x')
  await page.getByRole('button', { name: 'Changes since before' }).click()
  await says(page, '/<b>later.txt')
  await goTo(stage, '/files/data?show=attributes')
  await page.getByRole('button', { name: 'Set an attribute…' }).click()
  await page.getByLabel('NAME=VALUE').fill('user.note=<script>alert(6)</script>')
  await page.getByRole('button', { name: 'Set', exact: true }).click()
  await says(page, '<script>alert(6)</script>')
  await goTo(stage, '/files/loads/part-00000.parquet')
  await says(page, '100 rows')
  await page.getByRole('button', { name: 'Schema' }).click()
  await says(page, 'tonnes')
}

async function lostConnection(stage: Stage): Promise<void> {
  const { page, cluster } = stage
  await goTo(stage, '/')
  await says(page, 'Live')
  await stage.gateway.end('SIGKILL')
  await says(page, 'The connection is lost.')
  stage.gateway = (await serve(cluster, Number(new URL(stage.url).port))).gateway
  await page.getByText('The connection is lost.').waitFor({ state: 'detached' })
  await says(page, 'Live')
}

async function killedNode(stage: Stage): Promise<void> {
  const { page, cluster } = stage
  await goTo(stage, '/')
  await says(page, 'All is well')
  await cluster.datanodes[0]!.kill()
  await says(page, /is (late|dead)\./)
  await says(page, /is dead\./)
  if (screens !== undefined) await page.screenshot({ path: join(screens, 'dead-node.png'), fullPage: true })
}

const steps: readonly ((stage: Stage) => Promise<void>)[] = [
  login, eachPage, keyboard, manyNames, uploadAndDownload, queries, accessKeys, histories, jobs, lostConnection, killedNode,
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
  if (screens !== undefined) mkdirSync(screens, { recursive: true })
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
    const stage: Stage = { cluster, browser, dir, page, errors, ...await serve(cluster, 0) }
    try {
      for (const step of steps.filter(({ name }) => name === 'login' || only === undefined || only.includes(name))) {
        console.log(step.name)
        await step(stage).catch(async (error: unknown) => {
          if (screens !== undefined) await page.screenshot({ path: join(screens, 'failed.png'), fullPage: true })
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
