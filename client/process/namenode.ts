// `gristmill namenode`: translates the user's settings into a namenode's configuration, and runs it in this process until a signal.

import { GristmillError } from '../../src/base/errors.ts'
import { parseQueues } from '../../src/base/jobqueues.ts'
import { limits } from '../../src/base/limits.ts'
import type { Settings } from '../../src/base/settings.ts'
import { version } from '../../src/base/version.ts'
import type { Audit } from '../../src/ports/audit.ts'
import { auditFile } from '../../src/world/auditfile.ts'
import { portDefaults } from '../discovery/locate.ts'
import { ownSettings } from './config.ts'
import { exposeProcess } from './metrics.ts'
import { advertised, hostDefault, oneDirectory, serverSecrets, untilAborted, type ServerRun } from './run.ts'

export const replicationDefault = 3

export async function runNamenode(run: ServerRun): Promise<void> {
  const { settings, world, machine, signal } = run
  const host = settings.host ?? hostDefault
  const dir = oneDirectory(settings, `${settings.home}/namenode`)
  const secrets = await serverSecrets(run, host)
  const { Namenode } = await import('../../namenode/namenode.ts')
  const failed = Promise.withResolvers<never>()
  const namenode = await Namenode.start(world, {
    dir, host, port: settings.port ?? portDefaults.namenode, advertise: advertised(settings), ...secrets,
    defaults: { replication: settings.replication ?? replicationDefault, blockBytes: settings.blockSize ?? limits.blockBytesDefault },
    user: machine.user, pid: machine.pid, version, processMetrics: exposeProcess, audit: auditOf(settings), trashKeepMs: settings.trashKeep,
    uploadKeepMs: settings.uploadKeep,
    settings: await ownSettings({ disk: world.disk, machine }, run.flags, 'namenode', {
      dir: [dir], backupDir: `${dir}/backups`, logLevel: 'info', hostName: machine.hostName, home: settings.home,
    }),
    inlineBytes: settings.inlineBytes ?? limits.inlineBytesDefault,
    versions: { keep: settings.versionsKeep, keepMs: settings.versionsKeepFor },
    queues: settings.queues && parseQueues(settings.queues), jobsPerUser: settings.jobsPerUser,
    hosts: { include: settings.hosts, exclude: settings.hostsExclude },
    kept: { outputs: settings.keptOutputs, bytes: settings.keptBytes },
    sync: settings.profile !== 'test-without-fsync',
    times: {
      ...(settings.heartbeat !== undefined && { heartbeatMs: settings.heartbeat }),
      ...(settings.nodeStale !== undefined && { nodeStaleMs: settings.nodeStale }),
      ...(settings.nodeDead !== undefined && { nodeDeadMs: settings.nodeDead }),
      ...(settings.leaseSoft !== undefined && { leaseSoftMs: settings.leaseSoft }),
      ...(settings.leaseHard !== undefined && { leaseHardMs: settings.leaseHard }),
    },
    backups: {
      dir: settings.backupDir ?? `${dir}/backups`,
      everyMs: settings.backupEvery ?? limits.backupEveryMs,
      keep: settings.backupKeep ?? limits.backupsKept,
    },
    onFatal: failed.reject,
  })
  try {
    await run.ready({
      role: 'namenode', id: namenode.id, address: namenode.address, listening: namenode.listening, pid: machine.pid, dir,
      cluster: namenode.cluster,
    })
    await untilAborted(signal, failed.promise)
  } finally {
    await namenode.stop()
  }
}

function auditOf({ auditLog, auditReads = false, logSize, logKeep }: Settings): Audit | undefined {
  if (auditLog === undefined) return undefined
  try {
    return auditFile({ file: auditLog, maxBytes: logSize, copies: logKeep, reads: auditReads })
  } catch (error) {
    throw new GristmillError(
      'CONFIG_INVALID', `the audit log ${auditLog} cannot be opened: ${(error as Error).message}; name another file with --audit-log`,
      { cause: error },
    )
  }
}
