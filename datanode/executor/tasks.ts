// Opens the parts of a datanode that run tasks: the runner, the map outputs that it serves, and their calls.

import { FramePool } from '../../src/block/ring.ts'
import { asError, hasCode } from '../../src/base/errors.ts'
import { log } from '../../src/protocol/task.ts'
import { route } from '../../src/rpc/serve.ts'
import type { TaskHost, Tasks } from '../ports.ts'
import { MapOutputs } from '../shuffle/mapoutputs.ts'
import { readLog } from './logs.ts'
import { TaskRunner } from './runner.ts'

/** Directories of tasks below the node's home. */
const taskDirectories = ['executor', 'shuffle', 'programs', 'logs']

/** Removes task directories from a directory that is no longer the home: they would never be used or cleaned up again. */
async function removeTaskDirectories({ disk, log: logger }: TaskHost['world'], dir: string): Promise<void> {
  for (const name of taskDirectories) {
    await disk.removeTree(`${dir}/${name}`).catch((error: unknown) => {
      logger.warn('leftovers of tasks in another directory cannot be removed', { error: asError(error), dir: `${dir}/${name}` })
    })
  }
}

interface TasksOptions {
  /** Starts an executor before the first task comes; default: true. */
  readonly prestart?: boolean
  /** Main file of a process that drives a program; default: the node drives none. */
  readonly driver?: URL
}

export async function openTasks(host: TaskHost, { prestart = true, driver }: TasksOptions = {}): Promise<Tasks> {
  const { world, dir, others } = host
  for (const other of others) await removeTaskDirectories(world, other)
  const pool = new FramePool()
  const outputs = await MapOutputs.open({ disk: world.disk, dir, pool, log: world.log })
  const runner = await TaskRunner.open(host, outputs, driver)
  return {
    runner, segments: outputs,
    warm() {
      if (prestart)
        runner.prepare().catch((error: unknown) => {
          if (!hasCode(error, 'ABORTED')) world.log.error('no executor could be started; tasks will fail', { error: asError(error) })
        })
    },
    checkState() {
      for (const part of [runner, outputs, pool]) part.checkState()
    },
    routes: [
      route(log, ({ attempt, offset, limit }) => readLog(world.disk, dir, { attempt, offset, limit, over: runner.isOver(attempt) })),
    ],
  }
}
