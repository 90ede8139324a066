// `gristmill datanode`: runs a datanode in this process until a signal. It is ready once it has registered with its namenode.

import { isLoopback } from '../../src/base/loopback.ts'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import type { Address } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { version } from '../../src/base/version.ts'
import { locate, portDefaults } from '../discovery/locate.ts'
import { ownSettings } from './config.ts'
import { exposeProcess } from './metrics.ts'
import { advertised, hostDefault, serverSecrets, untilAborted, type ServerRun } from './run.ts'

export const rackDefault = '/default'

export async function runDatanode(run: ServerRun): Promise<void> {
  const { settings, world, machine, signal } = run
  const host = settings.host ?? hostDefault
  const place = await locate({ disk: world.disk, machine }, settings)
  if (place.kind !== 'cluster') {
    throw new GristmillError(
      'CONFIG_INVALID',
      'a datanode belongs to a namenode: give its address with --cluster host:port (or start a whole cluster with "gristmill up")',
    )
  }
  // On loopback, the secret is the one that the namenode created in the same home or in the cluster's directory.
  const secretFile = isLoopback(host) ? place.secretFile : settings.secretFile
  const secrets = await serverSecrets({ ...run, settings: { ...settings, secretFile } }, host)
  const dirs = settings.dir ?? [`${settings.home}/datanode`]
  const [{ Datanode }, { configFrom, drivesOf, tasksMemory }, { openTasks }] = await Promise.all([
    import('../../datanode/datanode.ts'), import('../../datanode/usersettings.ts'), import('../../datanode/executor/tasks.ts'),
  ])
  const datanode = await start(Datanode.start(world, {
    dirs, host, port: settings.port ?? portDefaults.datanode, advertise: advertised(settings), namenode: place.namenode, ...secrets,
    rack: settings.rack ?? rackDefault, hostName: settings.hostName ?? machine.hostName,
    slots: settings.slots ?? machine.cores, memoryBytes: settings.memory ?? limits.taskMemoryBytesDefault,
    memoryBytesAll: settings.nodeMemory ?? tasksMemory(machine, settings.slots),
    drives: settings.drives ?? drivesOf(machine, settings.slots),
    pid: machine.pid, version, processMetrics: exposeProcess, signal,
    tasks: host => openTasks(host, { driver: new URL('../driving/main.ts', import.meta.url) }),
    settings: await ownSettings({ disk: world.disk, machine }, run.flags, 'datanode', {
      dir: dirs, cluster: place.namenode, logLevel: 'info', hostName: machine.hostName, home: settings.home,
    }),
    ...configFrom(settings),
  }), { dir: dirs[0]!, namenode: place.namenode })
  world.failpoints.offer?.('heartbeat', () => datanode.beat())
  world.failpoints.offer?.('report', () => datanode.report())
  world.failpoints.offer?.('scrub', () => datanode.scrub())
  try {
    await run.ready({
      role: 'datanode', id: datanode.node, address: datanode.address, listening: datanode.listening, pid: machine.pid, dir: dirs[0]!,
      cluster: datanode.cluster,
    })
    await untilAborted(signal, datanode.failed)
  } finally {
    await datanode.stop()
  }
}

/** WRONG_CLUSTER means a wrong directory or a wrong address: the message names both. */
async function start<T>(starting: Promise<T>, { dir, namenode }: { dir: string; namenode: Address }): Promise<T> {
  try {
    return await starting
  } catch (error) {
    if (!hasCode(error, 'WRONG_CLUSTER')) throw error
    throw new GristmillError(
      'DIR_FOREIGN',
      `the directory ${dir} belongs to another cluster than the namenode at ${namenode} (${error.message}); give another --dir, or the right --cluster`,
      { cause: error, details: { dir } },
    )
  }
}
