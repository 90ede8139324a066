// Baseline of the namenode: an empty fastify route that accepts and returns the same JSON.

import Fastify from 'fastify'

const app = Fastify({ logger: false })
app.post('/empty', async () => ({}))
const address = await app.listen({ host: '127.0.0.1', port: 0 })
console.log(JSON.stringify({ address: address.replace('http://', '') }))
process.once('SIGTERM', () => process.exit(0))
