// gateway and serve: run a gateway for clients of other systems until a signal ends it; `serve` runs the embedded cluster with it.

import type { CommandContext } from '../context.ts'
import type { CommandSpec } from '../spec.ts'
import { optionsOf, serve as runHere } from './server.ts'

export const gateway: CommandSpec = {
  name: 'gateway', args: '', about: 'run a gateway: HDFS, S3 and PostgreSQL',
  notes:
    'Any number of gateways can serve a cluster; they keep no state. On loopback, a request names its user (`user.name=ada`), who is not verified. On any other address a gateway needs --secret-file, and for WebHDFS --tls-cert and --tls-key, so that users send access keys (gristmill user key), or --trusted-proxies: it takes the name of a user without a key only from a proxy that has authenticated the user. With --s3 it answers S3, whose requests are signed with an access key (gristmill user key), and WebHDFS only if --webhdfs is given too. With --pg it answers SQL in the protocol of PostgreSQL (psql, drivers, BI tools): on loopback a user is believed, and elsewhere the user is the id of an access key and the password its secret (SCRAM-SHA-256).',
  options: optionsOf('gateway'),
  examples: [
    ['gristmill gateway', 'WebHDFS on port 9870, for programs on this machine'],
    ['gristmill gateway --s3 9000', 'S3 on port 9000'],
    ['gristmill gateway --pg 5432', 'SQL for psql: psql -h 127.0.0.1'],
    ['gristmill gateway --cluster namenode:8620 --webhdfs 0', 'any free port; the ready line names it'],
  ],
  run: context => run(context),
}

export const serve: CommandSpec = {
  name: 'serve', args: '', about: 'run the embedded cluster with a gateway',
  notes: 'Commands and programs of this user use the same embedded cluster meanwhile. `gristmill gateway` has more about gateways.',
  options: optionsOf('gateway'),
  examples: [['gristmill serve', 'WebHDFS on port 9870']],
  run: context => run(context, 'embedded'),
}

async function run(context: CommandContext, cluster?: 'embedded'): Promise<void> {
  const [{ runGateway }, { openMills }] = await Promise.all([import('../../process/gateway.ts'), import('../../embedded/open.ts')])
  await runHere(context, server => {
    const settings = cluster ? { ...server.settings, cluster } : server.settings
    return runGateway({ ...server, settings }, () => openMills({ ...server, settings }))
  })
}
