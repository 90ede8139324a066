// `gristmill gateway`: runs a gateway in this process until a signal. It is ready once it has reached the cluster and listens.

import { GristmillError } from '../../src/base/errors.ts'
import { address, type ClusterId } from '../../src/base/ids.ts'
import { isLoopback } from '../../src/base/loopback.ts'
import type { Settings } from '../../src/base/settings.ts'
import { LogFile } from '../../src/world/logfile.ts'
import { networks } from '../../src/world/networks.ts'
import { portDefaults } from '../discovery/locate.ts'
import type { AccessLog } from '../gateway/accesslog.ts'
import type { Mills } from '../gateway/users.ts'
import { hostDefault, untilAborted, type ServerRun } from './run.ts'

/** `open`: connects to the cluster that the settings select. */
export async function runGateway(run: ServerRun, open: () => Promise<Mills & { readonly cluster: ClusterId }>): Promise<void> {
  const { settings, world, machine, signal } = run
  const host = settings.host ?? hostDefault
  checkExposed(settings, host)
  const proxies = networks(settings.trustedProxies ?? [])
  const [{ Gateway }, { WebHdfs }, access] = await Promise.all([
    import('../gateway/gateway.ts'), import('../gateway/webhdfs/webhdfs.ts'), accessLogOf(settings),
  ])
  const mills = await open()
  const gateway = await Gateway.start({ world, mills, access }, {
    host, proxies, dialects: [{ make: deps => new WebHdfs(deps), port: settings.webhdfs ?? portDefaults.gateway }],
  })
  try {
    const [webhdfs = ''] = gateway.addresses
    await run.ready({
      role: 'gateway', id: 'gateway', address: address(webhdfs), listening: address(webhdfs), pid: machine.pid, dir: settings.home,
      cluster: mills.cluster, endpoints: { webhdfs: `http://${webhdfs}/webhdfs/v1` },
    })
    await untilAborted(signal, new Promise<never>(() => {}))
  } finally {
    await gateway.stop()
  }
}

/** A gateway that other machines reach must be able to tell users apart, and its operator must have meant it. */
function checkExposed({ secretFile, trustedProxies }: Settings, host: string): void {
  if (isLoopback(host)) return
  if (secretFile === undefined)
    throw new GristmillError(
      'CONFIG_INVALID', `refusing to listen on ${host} without a cluster secret: others could reach this process; name the cluster's secret with --secret-file`,
      { details: { host } },
    )
  if (trustedProxies === undefined)
    throw new GristmillError(
      'CONFIG_INVALID',
      `refusing to listen on ${host}: a gateway does not verify the names of users, and other machines could give any name; let a proxy authenticate users and name its address with --trusted-proxies, or listen on ${hostDefault}`,
      { details: { host } },
    )
}

async function accessLogOf({ accessLog, logSize, logKeep }: Settings): Promise<AccessLog | undefined> {
  if (accessLog === undefined) return undefined
  const { accessLine } = await import('../gateway/accesslog.ts')
  try {
    const file = new LogFile({ file: accessLog, maxBytes: logSize, copies: logKeep })
    return entry => file.write(accessLine(entry))
  } catch (error) {
    throw new GristmillError(
      'CONFIG_INVALID', `the access log ${accessLog} cannot be opened: ${(error as Error).message}; name another file with --access-log`,
      { cause: error },
    )
  }
}
