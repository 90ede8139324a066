// Stage of the console's tests in a browser: a cluster of real processes, a gateway with a console, and a page that is logged in; and what
// all steps do with a page.

import { mkdirSync } from 'node:fs'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { connect, type Mill } from '../../client/index.ts'
import { until, type TestCluster } from '../kit/cluster.ts'
import { ServerProcess } from '../kit/process/server.ts'

/** A name that runs a script wherever it is taken for HTML. */
export const evil = '<img src=x onerror=alert(1)>"\'&.csv'
const waitMs = 60_000

export interface Stage {
  readonly cluster: TestCluster
  readonly browser: Browser
  readonly dir: string
  /** A page that is logged in. */
  readonly page: Page
  gateway: ServerProcess
  url: string
  /** Errors of all pages so far. */
  readonly errors: string[]
  /** Directory of pictures. */
  readonly screens: string | undefined
  /** Uploads 1 GiB, and starts 10,000 tasks. */
  readonly isLarge: boolean
}

export type Step = (stage: Stage) => Promise<void>

export async function linkOf({ cluster, url }: Pick<Stage, 'cluster' | 'url'>): Promise<string> {
  return (JSON.parse(await cluster.ok(['console', '--json', '--at', url])) as { link: string }).link
}

export async function serve(cluster: TestCluster, port: number) {
  const gateway = new ServerProcess({ role: 'gateway', args: ['--console', String(port)], env: cluster.env })
  const { endpoints: { console: url } } = await gateway.ready() as unknown as { endpoints: { console: string } }
  return { gateway, url }
}

/** A page whose errors, dialogs and requests to other hosts are errors of the run. */
export async function openPage(context: BrowserContext, errors: string[]): Promise<Page> {
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

export const goTo = async ({ page, url }: Pick<Stage, 'page' | 'url'>, path: string): Promise<void> => {
  await page.goto(url + path)
  await page.locator('main h1').waitFor()
  await until('the contents of the page', async () => await page.locator('.spinner').count() === 0)
}

export const says = (page: Page, text: string | RegExp): Promise<void> => page.getByText(text).first().waitFor()

/** The CSV that a page copies of the table with this label. */
export async function copiedCsv(page: Page, label: string): Promise<string> {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
  const table = page.locator('.table', { has: page.getByRole('group', { name: label, exact: true }) })
  await table.getByRole('button', { name: 'Copy as CSV' }).click()
  await says(page, new RegExp(`Copied \\d+ rows? of ${label}`))
  return await page.evaluate('navigator.clipboard.readText()') as string
}

/** Keeps a picture of the page, if pictures are wanted. */
export async function picture({ page, screens }: Pick<Stage, 'page' | 'screens'>, name: string, fullPage = true): Promise<void> {
  if (screens === undefined) return
  mkdirSync(screens, { recursive: true })
  await page.screenshot({ path: `${screens}/${name}.png`, fullPage })
}

/** The library, connected to the cluster of the stage. */
export const millOf = ({ cluster }: Pick<Stage, 'cluster'>): Promise<Mill> =>
  connect({ address: cluster.namenode.address, secretFile: cluster.secretFile })

/** Collects tasks of the page's thread that take 50 ms and longer. */
export const observeLongTasks = `window.longTasks = []; new PerformanceObserver(list => {
  for (const { duration } of list.getEntries()) window.longTasks.push(Math.round(duration))
}).observe({ type: 'longtask', buffered: true })`

/** Tasks since `observeLongTasks`, for the reader of the run. */
export async function longTasksOf(page: Page): Promise<string> {
  const found = await page.evaluate('window.longTasks') as number[]
  const most = found.toSorted((a, b) => b - a).slice(0, 5).join(', ')
  return `${found.length} turns of the page of 50 ms and longer${most && `; the longest ones took ${most} ms`}`
}
