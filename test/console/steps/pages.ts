// Steps of the console's test: each page in both themes and on a phone, without a violation that axe-core finds; the keyboard; a
// directory of many names.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { until } from '../../kit/cluster.ts'
import { root } from '../../tidy/source.ts'
import { evil, goTo, longTasksOf, millOf, observeLongTasks, picture, says, type Stage } from '../stage.ts'

/** More than two pages of a listing; with `--large`, as many as the console promises to show. */
const [namesCount, namesLarge] = [2_500, 100_000]

const pages = (job: string, node: string): readonly string[] => [
  '/', '/nodes', `/nodes/${node}`, '/files/', '/files/data', `/files/data/${encodeURIComponent(evil)}`, '/files/data/events.jsonl',
  '/files/counts?show=versions', '/files/counts?show=lineage', '/files/data?show=snapshots', '/files/data?show=attributes',
  '/files/loads/part-00000.parquet', '/files/loads/part-00000.parquet?part=groups',
  '/trash', '/sql', '/queues', '/tables', '/users', `/compare?a=${job}&b=${job}`, '/jobs', `/jobs/${job}`, '/files/no/such', '/nowhere',
]

interface Violation { readonly id: string; readonly nodes: { readonly html: string; readonly failureSummary: string }[] }

export async function eachPage(stage: Stage): Promise<void> {
  const axe = await readFile(join(root, 'node_modules/axe-core/axe.min.js'), 'utf8')
  const { page, cluster } = stage
  const [job] = (await cluster.ok(['jobs', '--json'])).trim().split('\n').map(line => (JSON.parse(line) as { job: string }).job)
  const mill = await millOf(stage)
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
      await picture(stage, name)
      await page.setViewportSize({ width: 360, height: 740 })
      const wide = await page.evaluate('document.documentElement.scrollWidth') as number
      if (wide > 360) told.push(`${path} is ${wide} pixels wide on a phone`)
      await picture(stage, `${name}-phone`, false)
      await page.setViewportSize({ width: 3840, height: 2160 })
      const large = await page.evaluate('document.documentElement.scrollWidth') as number
      const main = await page.evaluate('document.querySelector("main").getBoundingClientRect().width') as number
      if (large > 3840 || main < 1200) told.push(`${path} is ${large} pixels wide on a screen of 4K, and its contents ${Math.round(main)}`)
      await picture(stage, `${name}-4k`, false)
    }
  }
  assert.deepEqual(told, [])
  await page.setViewportSize({ width: 1360, height: 860 })
  await page.emulateMedia({ colorScheme: 'light' })
}

export async function keyboard(stage: Stage): Promise<void> {
  const { page } = stage
  await goTo(stage, '/')
  await page.keyboard.press('Tab')
  assert.equal(await page.evaluate('document.activeElement.textContent'), 'Skip to the page')
  for (let i = 0; i < 10 && await page.evaluate('document.activeElement.textContent.trim()') !== 'Jobs'; i++) await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.waitForURL('**/jobs')
  const focused = 'document.activeElement.tagName === "H1" && document.title.startsWith("Jobs · gristmill ")'
  await until('the focus on the title', async () => await page.evaluate(focused) === true)
  await page.goBack()
  await says(page, 'All is well')
}

export async function manyNames(stage: Stage): Promise<void> {
  const { page, isLarge } = stage
  const count = isLarge ? namesLarge : namesCount
  const mill = await millOf(stage)
  await mill.mkdir('/many')
  for (let from = 0; from < count; from += 100)
    await Promise.all(Array.from({ length: 100 }, (_, i) => mill.mkdir(`/many/d${String(from + i).padStart(5, '0')}`)))
  await mill.close()
  await goTo(stage, '/files/many')
  const last = `d${String(count - 1).padStart(5, '0')}/`
  await page.evaluate(observeLongTasks)
  await until('the last name', async () => {
    await page.locator('.scroll').hover()
    await page.mouse.wheel(0, 10_000_000)
    return await page.getByText(last).isVisible()
  })
  await says(page, `${count.toLocaleString('en-US')} names`)
  console.log(`  ${count.toLocaleString('en-US')} names: ${await longTasksOf(page)}`)
  assert.ok(await page.locator('tbody tr').count() < 150, 'all rows are in the document')
}
