// One datanode in a process of its own for the benchmark of transfers. argv: JSON of its configuration. Tells its address by IPC,
// and its use of CPU and memory when asked.

import { realWorld } from '../../src/world/world.ts'
import { Datanode, type DatanodeConfig } from '../../datanode/datanode.ts'

const config = JSON.parse(process.argv[2]!) as Omit<DatanodeConfig, 'secret'> & { secret: string }
const datanode = await Datanode.start(realWorld({ name: 'datanode', logLevel: 'warn' }), { ...config, secret: Buffer.from(config.secret, 'hex'), pid: process.pid })
process.send!({ address: datanode.address })
process.on('message', () => process.send!({ cpu: process.cpuUsage(), rss: process.resourceUsage().maxRSS * 1024 }))
process.on('disconnect', () => { void datanode.stop().then(() => process.exit(0)) })
