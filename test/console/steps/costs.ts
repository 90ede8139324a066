// Step of the console's test: what it costs. With `--large` a job of 10,000 tasks is shown while it runs; the times are printed, and judged
// by whoever reads them. Always: the namenode's processor time and memory with three pages that watch, and with none.

import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { goTo, linkOf, longTasksOf, observeLongTasks, openPage, picture, says, type Stage } from '../stage.ts'

const watchMs = 30_000
/** Clock ticks in a second, as the kernel counts them for processes. */
const ticks = 100

interface Cost { readonly seconds: number; readonly megabytes: number }

function costOf(pid: number): Cost {
  const [user, system] = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ').slice(11, 13)
  const kilobytes = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1])
  return { seconds: (Number(user) + Number(system)) / ticks, megabytes: kilobytes / 1024 }
}

/** A task for each number, and nothing to do. */
const many = `import { program } from 'gristmill'
export default program(async mill => { await mill.range(10_000, { partitions: 10_000 }).save('/many-tasks') })
`

export async function costs(stage: Stage): Promise<void> {
  const { page, browser, cluster, dir, errors, isLarge } = stage
  const namenode = () => costOf(cluster.namenode.pid)
  const watched = async (): Promise<Cost> => {
    const before = namenode()
    await page.waitForTimeout(watchMs)
    const after = namenode()
    return { seconds: (after.seconds - before.seconds) * 1000 / watchMs, megabytes: after.megabytes }
  }
  const show = (what: string, { seconds, megabytes }: Cost): void =>
    console.log(`  ${what}: ${(seconds * 100).toFixed(1)} % of a core, ${Math.round(megabytes)} MB`)
  await page.goto('about:blank')
  show('namenode without a page', await watched())
  const others = await Promise.all([0, 1].map(async () => {
    const other = await openPage(await browser.newContext(), errors)
    await other.goto(await linkOf(stage))
    await other.locator('.health').waitFor()
    return other
  }))
  await goTo(stage, '/')
  show('namenode with three pages', await watched())
  await picture(stage, 'overview', false)
  for (const other of others) await other.context().close()
  if (!isLarge) return
  await writeFile(join(dir, 'many.ts'), many)
  const run = cluster.run(['run', join(dir, 'many.ts')])
  await goTo(stage, '/jobs?state=running')
  await page.getByRole('link', { name: /^many/ }).first().click()
  await says(page, 'running')
  await page.evaluate(observeLongTasks)
  const { code, stderr } = await run
  if (code !== 0) throw new Error(stderr)
  await says(page, 'succeeded')
  console.log(`  10,000 tasks: ${await longTasksOf(page)}`)
}
