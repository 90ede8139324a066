// `gristmill gateway`: runs a gateway in this process until a signal. It is ready once it has reached the cluster and listens.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { address } from '../../src/base/ids.ts'
import { isLoopback } from '../../src/base/loopback.ts'
import { normalise } from '../../src/base/paths.ts'
import type { Settings } from '../../src/base/settings.ts'
import { checkKeyPair } from '../../src/world/certificate.ts'
import { LogFile } from '../../src/world/logfile.ts'
import type { World } from '../../src/ports/world.ts'
import { networks } from '../../src/world/networks.ts'
import { portDefaults } from '../discovery/locate.ts'
import type { AccessLog } from '../gateway/accesslog.ts'
import type { Certificate } from '../gateway/certificate.ts'
import type { GatewayDialect } from '../gateway/dialect.ts'
import type { DialectDeps, StreamServer } from '../gateway/gateway.ts'
import type { GatewayNumbers, ShownMetrics } from '../gateway/numbers.ts'
import type { Mills } from '../gateway/users.ts'
import { askedPorts } from './askedports.ts'
import { hostDefault, untilAborted, type ServerRun } from './run.ts'

/** `open`: connects to the cluster that the settings select. */
export async function runGateway(run: ServerRun, open: () => Promise<Mills>): Promise<void> {
  const { settings, world, machine, signal } = run
  const host = settings.host ?? hostDefault
  checkExposed(settings, host)
  askedPorts(settings)
  const proxies = networks(settings.trustedProxies ?? [])
  const [{ Gateway }, dialects, access, metrics] =
    await Promise.all([import('../gateway/gateway.ts'), dialectsOf(run), accessLogOf(settings), metricsOf(world)])
  const certificate = await certificateOf(run)
  const mills = await open()
  const servers = await serversOf(run, { host, certificate })
  const gateway = await Gateway.start({ world, mills, access, certificate, metrics }, { host, proxies, dialects, servers })
  await tellMissingRoot(run, mills)
  const scheme = certificate ? 'https' : 'http'
  try {
    const [first = ''] = gateway.addresses
    await run.ready({
      role: 'gateway', id: 'gateway', address: address(first), listening: address(first), pid: machine.pid, dir: settings.home,
      cluster: mills.cluster,
      endpoints: Object.fromEntries([
        ...dialects.map(({ name, path }, i) => [name, `${scheme}://${gateway.addresses[i]}${path}`]),
        ...servers.map(({ name }, i) => [name, `postgresql://${gateway.addresses[dialects.length + i]}`]),
      ]),
    })
    await untilAborted(signal, new Promise<never>(() => {}))
  } finally {
    await gateway.stop()
  }
}

async function metricsOf({ clock }: Pick<World, 'clock'>): Promise<(numbers: GatewayNumbers) => ShownMetrics> {
  const [{ shownMetrics }, { exposeProcess }] = await Promise.all([import('../gateway/metrics.ts'), import('./metrics.ts')])
  return numbers => shownMetrics(numbers, { clock, more: exposeProcess })
}

/** undefined: plain HTTP. */
async function certificateOf({ settings: { tlsCert: cert, tlsKey: key }, world }: ServerRun): Promise<Certificate | undefined> {
  if (cert === undefined && key === undefined) return undefined
  if (cert === undefined || key === undefined)
    throw new GristmillError('CONFIG_INVALID',
      'a gateway serves TLS with a certificate and its key: name both, with --tls-cert and --tls-key')
  const { Certificate } = await import('../gateway/certificate.ts')
  return Certificate.open({ ...world, check: checkKeyPair }, { cert, key })
}

interface ServedDialect {
  readonly name: string
  /** Path of its requests. */
  readonly path: string
  readonly port: number
  readonly make: (deps: DialectDeps) => GatewayDialect
}

/** Without a port of any dialect a gateway answers WebHDFS. */
const servesWebHdfs = ({ webhdfs, s3, pg, console: pages }: Settings): boolean =>
  webhdfs !== undefined || (s3 === undefined && pg === undefined && pages === undefined)

/** Servers of protocols that are not HTTP, by the ports that are set. */
async function serversOf(
  { settings: { pg: port }, world: { clock, random, log, net, openDatabase } }: ServerRun,
  { host, certificate }: { readonly host: string; readonly certificate: Certificate | undefined },
): Promise<{ readonly name: string; readonly start: (deps: DialectDeps) => Promise<StreamServer> }[]> {
  if (port === undefined) return []
  const { PgServer } = await import('../gateway/pg/server.ts')
  return [{
    name: 'pg',
    start: deps => PgServer.start(net, { ...deps, clock, random, log, openDatabase: openDatabase!, certificate }, { host, port }),
  }]
}

/** Dialects by the ports that are set; a dialect that is not served is not loaded. */
async function dialectsOf({ settings, world }: ServerRun): Promise<ServedDialect[]> {
  const { clock, random, log } = world
  const dialects: ServedDialect[] = []
  if (servesWebHdfs(settings)) {
    const [{ WebHdfs }, { SqlOverHttp }] = await Promise.all([import('../gateway/webhdfs/webhdfs.ts'), import('../gateway/sql/sql.ts')])
    dialects.push({
      name: 'webhdfs', path: '/webhdfs/v1', port: settings.webhdfs ?? portDefaults.gateway,
      make: deps => new SqlOverHttp({ ...deps, clock, random }, new WebHdfs({ ...deps, clock })),
    })
  }
  if (settings.s3 !== undefined) {
    const { S3 } = await import('../gateway/s3/s3.ts')
    const options = { root: rootOf(settings.s3Root ?? '/'), domains: settings.s3Domain ?? [] }
    dialects.push({ name: 's3', path: '', port: settings.s3, make: deps => new S3({ ...deps, clock, random, log }, options) })
  }
  if (settings.console !== undefined) dialects.push(await consoleDialect(world, settings, settings.console))
  return dialects
}

/** The console, on a port; 0: any free one. */
export async function consoleDialect(
  { clock, random, disk, openDatabase }: Pick<World, 'clock' | 'random' | 'disk' | 'openDatabase'>, { home }: Pick<Settings, 'home'>,
  port: number, isOwn = false,
): Promise<ServedDialect> {
  const [{ Console }, { loadAssets }] = await Promise.all([import('../console/console.ts'), import('../console/assets.ts')])
  const assets = await loadAssets(disk)
  const tools = { clock, random, disk, openDatabase, scratchDir: `${home}/scratch`, isOwn }
  return { name: 'console', path: '', port, make: deps => new Console({ ...deps, ...tools, assets }) }
}

function rootOf(path: string): string {
  try {
    return normalise(path)
  } catch (error) {
    throw new GristmillError('CONFIG_INVALID', `--s3-root is no path of the cluster: ${(error as Error).message}`, { cause: error })
  }
}

/**
 * A gateway may start before its root is made, with its cluster: its operator learns that each bucket is missing until then. Any other
 * fault is that of the requests.
 */
async function tellMissingRoot({ settings: { s3, s3Root = '/' }, world: { log } }: ServerRun, mills: Mills): Promise<void> {
  const root = rootOf(s3Root)
  if (s3 === undefined || root === '/') return
  const mill = mills.of(mills.own)
  try {
    const { type } = await mill.status(root)
    if (type !== 'directory') log.warn(`${root} (--s3-root) is a file: this gateway has no buckets`, { root })
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR'))
      log.warn(`${root} (--s3-root) does not exist yet: this gateway has no buckets until it is created (gristmill mkdir ${root})`, { root })
  } finally {
    await mill.close()
  }
}

/** A gateway that other machines reach must be able to tell users apart, and its operator must have meant it. */
function checkExposed(settings: Settings, host: string): void {
  const { secretFile, trustedProxies, tlsCert } = settings
  if (isLoopback(host)) return
  if (secretFile === undefined)
    throw new GristmillError(
      'CONFIG_INVALID', `refusing to listen on ${host} without a cluster secret: others could reach this process; name the cluster's secret with --secret-file`,
      { details: { host } },
    )
  // S3, the PostgreSQL protocol and the console verify the user of each request or session, and so does WebHDFS where a password cannot be
  // read on its way.
  if (trustedProxies === undefined && tlsCert === undefined && servesWebHdfs(settings))
    throw new GristmillError(
      'CONFIG_INVALID',
      `refusing to listen on ${host}: a gateway does not verify the names of users, and other machines could give any name; serve TLS (--tls-cert, --tls-key), so that users send access keys, let a proxy authenticate users and name its address with --trusted-proxies, serve S3 or the PostgreSQL protocol only (--s3, --pg), or listen on ${hostDefault}`,
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
