// setrep: changes the replication of files. With --wait, returns when every block has that many replicas, and no excess on nodes in
// service.

import { GristmillError, hasCode } from '../../../src/base/errors.ts'
import { limits } from '../../../src/base/limits.ts'
import { parseWhole } from '../../../src/base/units.ts'
import type { Mill } from '../../mill.ts'
import { concurrent } from '../concurrent.ts'
import type { CommandContext } from '../context.ts'
import { Refusal } from '../errors.ts'
import { plural } from '../display.ts'
import { option, type CommandSpec } from '../spec.ts'
import { remotePaths, statusToChange, walk, type Walked } from '../tree.ts'
import { waitFor } from '../waiting.ts'
import { recurse } from './options.ts'

export const setrep: CommandSpec = {
  name: 'setrep', args: '<replicas> <path...>', about: 'change the replication of files',
  options: [recurse, option('-w, --wait', 'wait until every block has this many replicas')],
  examples: [['gristmill setrep -R -w 3 /logs', 'three replicas; wait for them']],
  run: runSetrep,
}

/** Milliseconds for which one cluster status is reused over several files. */
const knownMs = 300

async function runSetrep(
  context: CommandContext, operands: readonly string[], options: { recursive?: boolean; wait?: boolean },
): Promise<void> {
  const [text, ...paths] = operands as [string, ...string[]]
  const replicas = parseWhole(text, 1, limits.replicationMax)
  if (Number.isNaN(replicas))
    throw new GristmillError(
      'USAGE',
      `"${text}" is not a number of replicas from 1 to ${limits.replicationMax}; write for instance: gristmill setrep 3 PATH`,
    )
  const mill = await context.mill()
  const { signal, printer } = context
  const changed: string[] = []
  await context.each(remotePaths(context, paths), async path => {
    const top = await statusToChange(mill, path, signal, () => mill.setReplication(path, replicas, { signal }))
    if (top.type === 'directory' && !options.recursive) {
      throw new Refusal('EISDIR', `${path}: is a directory; add -R for all files below it`, { details: { path } })
    }
    const set = async ({ status }: Walked): Promise<string | undefined> => {
      if (status.type !== 'file') return undefined
      await mill.setReplication(status.path, replicas, { signal })
      return status.path
    }
    for await (const done of concurrent(walk(mill, top, { signal }), set)) {
      if (done === undefined) continue
      changed.push(done)
      if (context.json) await printer.json({ path: done, replication: replicas }, { compact: true })
    }
  })
  if (changed.length === 0) return
  const live = [...(await services(mill, signal)).values()].filter(service => service === 'in-service').length
  const short = `${plural(replicas, 'replica')} need as many datanodes, and ${live} are live and in service`
  if (options.wait && live < replicas) throw new Refusal('EINVAL', `not waiting: ${short}`)
  if (options.wait) await untilSettled(context, changed, replicas)
  else if (live < replicas)
    printer.note(`gristmill: setrep: ${short}: the missing replicas are made when more datanodes join`)
}

async function untilSettled(context: CommandContext, paths: readonly string[], replicas: number): Promise<void> {
  const mill = await context.mill()
  const { clock } = await context.world()
  let done = 0
  await waitFor(context, {
    label: plural(replicas, 'replica'),
    async look() {
      const nodes = await services(mill, context.signal)
      const until = clock.mono() + knownMs
      while (
        done < paths.length
        && clock.mono() <= until
        && (await settled(mill, paths[done]!, { replicas, nodes, signal: context.signal }))
      )
        done++
      return done
    },
    stepOf: () => ({ done, total: paths.length, text: `${plural(paths.length - done, 'file')} of ${plural(paths.length, 'file')} left` }),
    isDone: () => done === paths.length,
  })
}

interface Looking { readonly replicas: number; readonly nodes: ReadonlyMap<string, string>; readonly signal: AbortSignal }

async function settled(mill: Mill, path: string, { replicas, nodes, signal }: Looking): Promise<boolean> {
  try {
    // A replica on a decommissioning node does not count; one on a node in maintenance counts, but is never excess.
    for await (const block of mill.locate(path, { signal })) {
      const held = block.nodes.map(({ node }) => nodes.get(node))
      const here = held.filter(service => service === 'in-service').length
      const away = held.filter(service => service === 'maintenance').length
      if (here > replicas || here + away < replicas) return false
    }
    return true
  } catch (error) {
    // The file was removed or replaced meanwhile: nothing to wait for.
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EISDIR', 'ESTALE')) return true
    throw error
  }
}

/** Service states of the live nodes. */
async function services(mill: Mill, signal: AbortSignal): Promise<Map<string, string>> {
  const { nodes } = await mill.clusterStatus({ signal })
  return new Map(nodes.filter(({ state }) => state === 'live').map(({ node, service = 'in-service' }) => [node, service]))
}
