// Steps of the console's test: a table is copied as CSV, with a clipboard and without one; times are local or in UTC.

import assert from 'node:assert/strict'
import type { BrowserContext } from 'playwright-core'
import { goTo, linkOf, millOf, openPage, says, type Stage } from '../stage.ts'

export async function copiedTable(stage: Stage): Promise<void> {
  const { browser, errors } = stage
  const mill = await millOf(stage)
  const { nodes } = await mill.clusterStatus()
  await mill.mkdir('/line ends')
  await mill.writeFile('/line ends/a\rb\r\nc', 'x')
  await mill.close()
  const copied = async (context: BrowserContext, path: string, told: string): Promise<string> => {
    await context.grantPermissions(['clipboard-read', 'clipboard-write'])
    const page = await openPage(context, errors)
    await page.goto(await linkOf(stage))
    await page.locator('.health').waitFor()
    await goTo({ page, url: stage.url }, path)
    await page.getByRole('button', { name: 'Copy as CSV' }).first().click()
    await says(page, told)
    const other = await context.newPage()
    await other.goto(stage.url)
    await other.bringToFront()
    return await other.evaluate('navigator.clipboard.readText()') as string
  }
  // Over HTTP from another machine a page has no clipboard.
  const without = await browser.newContext()
  await without.addInitScript('if (location.pathname !== "/") Object.defineProperty(navigator, "clipboard", { value: undefined })')
  for (const context of [await browser.newContext(), without]) {
    const [head, ...rows] = (await copied(context, '/nodes', 'Copied 2 rows of datanodes')).trimEnd().split('\n')
    assert.equal(head, 'Node,State,Host,Rack,Disks,Blocks,Tasks,Last contact,Version')
    assert.deepEqual(rows.map(row => row.split(',')[0]).sort(), nodes.map(({ node }) => node).sort())
    const files = await copied(context, '/files/line%20ends', 'Copied 1 row of files of /line ends')
    assert.match(files, /^Name,.*\n"a\rb\r\nc",1,/)
    await context.close()
  }
}

export async function times(stage: Stage): Promise<void> {
  const { browser, errors } = stage
  const context = await browser.newContext({ timezoneId: 'Asia/Kolkata' })
  const page = await openPage(context, errors)
  await page.goto(await linkOf(stage))
  await page.locator('.health').waitFor()
  await goTo({ page, url: stage.url }, '/jobs')
  const shown = (): Promise<string> => page.locator('td time').first().innerText()
  const at = Date.parse((await page.locator('td time').first().getAttribute('datetime'))!)
  const textOf = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ')
  assert.equal(await shown(), textOf(at + 5.5 * 3_600_000))
  await page.getByRole('button', { name: 'Local time' }).click()
  await page.getByRole('button', { name: 'UTC', exact: true }).waitFor()
  assert.equal(await shown(), textOf(at))
  // The choice stays.
  await goTo({ page, url: stage.url }, '/jobs')
  assert.equal(await shown(), textOf(at))
  await context.close()
}
