// Defaults in the table of settings are texts. Each that is a value is compared with the constant that processes use.

import { expect, test } from 'vitest'
import { rackDefault } from '../../../../client/process/datanode.ts'
import { replicationDefault } from '../../../../client/process/namenode.ts'
import { datanodesDefault } from '../../../../client/process/plan.ts'
import { hostDefault } from '../../../../client/process/run.ts'
import { limits } from '../../../../src/base/limits.ts'
import { settings, type Setting, type SettingName } from '../../../../src/base/settings.ts'
import { logDefaults } from '../../../../src/world/logfile.ts'

const used: Partial<Record<SettingName, unknown>> = {
  host: hostDefault, rack: rackDefault, memory: limits.taskMemoryBytesDefault, replication: replicationDefault,
  blockSize: limits.blockBytesDefault, inlineBytes: limits.inlineBytesDefault,
  datanodes: datanodesDefault, heartbeat: limits.heartbeatMs, nodeStale: limits.nodeStaleMs,
  nodeDead: limits.nodeDeadMs, scrubPeriod: limits.scrubPeriodMs, scrubRate: limits.scrubBytesPerSecond,
  blockTrashKeep: limits.blockTrashKeepMs, deleteGuard: limits.deleteGuardMs, leaseSoft: limits.leaseSoftMs, leaseHard: limits.leaseHardMs,
  trashKeep: limits.trashKeepMs, uploadKeep: limits.uploadKeepMs, versionsKeep: limits.versionsKept, versionsKeepFor: limits.versionKeepMs,
  keptOutputs: limits.keptOutputsMax, jobsPerUser: limits.jobsRunningMax,
  keptBytes: limits.keptBytesMax, backupEvery: limits.backupEveryMs, backupKeep: limits.backupsKept, logSize: logDefaults.maxBytes,
  logKeep: logDefaults.copies,
}

/** Texts of no value, and values that their users do not name: a flag is off unless it is given. */
const described: readonly SettingName[] = [
  'home', 'cluster', 'secretFile', 'user', 'port', 'advertise', 'dir', 'hostName', 'slots', 'nodeMemory', 'drives', 'backupDir', 'profile',
  'logLevel', 'logFile',
  'auditLog', 'auditReads', 'gateway', 'webhdfs', 's3', 'pg', 'console', 's3Root', 's3Domain', 'tlsCert', 'tlsKey', 'trustedProxies',
  'accessLog', 'debug', 'queues', 'racks', 'hosts', 'hostsExclude',
]

test('each setting has its default here, or a description in place of one', () => {
  expect([...Object.keys(used), ...described].sort()).toEqual(Object.keys(settings).sort())
})

test.each(Object.entries(used))('the default of %s is the value in use', (name, value) => {
  const { fallback, parse }: Setting<unknown> = settings[name as SettingName]
  // A text may go on after the value: `3s, or a third of …`.
  expect(parse(fallback.split(',')[0])).toBe(value)
})
