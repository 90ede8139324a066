// Rooms of the source tree: the room of each file, its rank, and the imports that it may have. A room imports its own files and rooms
// of strictly lower rank; two rooms of equal rank do not import each other.

import { posix } from 'node:path'
import { importsOf, type Source } from './source.ts'

/** Rank by path prefix; the longest matching prefix wins. Rooms of one house (namenode, datanode, client) have their own ranks. */
export const ranks: Readonly<Record<string, number>> = {
  'src/base': 0,
  'src/ports': 1,
  'src/block': 2, 'src/record': 2, 'src/protocol': 2, 'src/home': 2, 'src/world': 2,
  'src/rpc': 3, 'src/program': 3, 'src/plan': 3.5, 'src/ml': 3.5, 'src/shuffle': 3,
  'src/operator': 4, 'src/file': 4, 'src/sql': 4, 'src/connector': 4,
  'namenode/chores.ts': 7, 'namenode/journal': 7.1, 'namenode/room.ts': 7.15, 'namenode/namespace': 7.2, 'namenode/nodes': 7.3,
  'namenode/trash': 7.3, 'namenode/snapshots': 7.3, 'namenode/succession': 7.35, 'namenode/blocks': 7.4, 'namenode/service': 7.5,
  'namenode/balance': 7.5, 'namenode/writing': 7.5, 'namenode/quotas': 7.5, 'namenode/xattrs': 7.5, 'namenode/versions': 7.5,
  'namenode/users': 7.5, 'namenode/catalog': 7.5, 'namenode/objects': 7.6,
  'namenode/jobs': 7.5, 'namenode/nodecalls': 7.5, 'namenode/backup': 7.7, 'namenode/admin': 7.8, 'namenode': 7.9,
  // Rows that the tree of names changes with every operation lie in the rooms of their messages, below the tree; entries and paths, which
  // these rows need, lie below them.
  'namenode/namespace/entry.ts': 7.12, 'namenode/namespace/access.ts': 7.13, 'namenode/namespace/resolve.ts': 7.14,
  'namenode/xattrs/rows.ts': 7.15, 'namenode/snapshots/rows.ts': 7.15, 'namenode/snapshots/history.ts': 7.16,
  'namenode/snapshots/historysweep.ts': 7.17, 'namenode/quotas/usage.ts': 7.17, 'namenode/versions/rows.ts': 7.16,
  'namenode/quotas/publishing.ts': 7.25, 'namenode/versions/lookup.ts': 7.17, 'namenode/versions/shelf.ts': 7.3,
  // The state of a datanode (nodes/node.ts) has its service state in it.
  'namenode/service/rows.ts': 7.25,
  // Inside the jobs: rows of the store, what is published and scheduled, and the store as a whole, which uses both.
  'namenode/jobs/store/record.ts': 7.41, 'namenode/jobs/store/rows.ts': 7.42, 'namenode/jobs/splits/pages.ts': 7.43,
  'namenode/jobs/publish': 7.43, 'namenode/jobs/splits/splits.ts': 7.44, 'namenode/jobs/spec.ts': 7.45, 'namenode/jobs/deps.ts': 7.45,
  'namenode/jobs/scheduler': 7.45, 'namenode/jobs/splits': 7.46, 'namenode/jobs/store': 7.47,
  // Routes of names use data of higher rooms: the trash, and block locations. The declarations of two rooms import the contract of rooms,
  // which names operations of the journal.
  'namenode/namespace/locate.ts': 7.45, 'namenode/namespace/routes.ts': 7.5, 'namenode/namespace/room.ts': 7.6,
  'namenode/journal/room.ts': 7.2,
  // A second entry of the namenode, beside namenode.ts: it replays journals with the mutations of all rooms.
  'namenode/backup/replay.ts': 7.95, 'namenode/backup/recover.ts': 7.96,
  // Inside the store each file has a rank, so that its calls go one way: from the store down to the files of one disk.
  'datanode/store/diskerror.ts': 7.01, 'datanode/store/replicaindex.ts': 7.01, 'datanode/store/retention.ts': 7.01,
  'datanode/store/scan.ts': 7.02, 'datanode/store/storage.ts': 7.03, 'datanode/store/replicas.ts': 7.04, 'datanode/store/disks.ts': 7.05,
  'datanode/store/incoming.ts': 7.06, 'datanode/store/reader.ts': 7.06, 'datanode/store/duplicates.ts': 7.07,
  'datanode/store': 7.08, 'datanode/ports.ts': 7.1, 'datanode/orders': 7.2, 'datanode/scrub': 7.2, 'datanode/transfer': 7.2,
  'datanode/shuffle': 7.2, 'datanode/heartbeat': 7.3, 'datanode/executor': 7.4, 'datanode': 7.5,
  'client/call': 7, 'client/glob': 7, 'client/discovery': 7, 'client/files': 7.1, 'client/service': 7.1, 'client/load': 7.1,
  'client/jobs': 7.2, 'client/sql': 7.3, 'client/frame': 7.4, 'client/workflows': 7.3, 'client/transfer': 7.3, 'client': 7.5,
  // The shared half of the gateways, and the dialects.
  'client/gateway': 7.6, 'client/serving': 7.6, 'client/gateway/webhdfs': 7.7, 'client/gateway/s3': 7.7, 'client/gateway/pg': 7.7,
  'client/gateway/sql': 7.7,
  // The console: a dialect of a gateway for browsers, and below it the code that runs in them.
  'client/console': 7.7, 'client/console/page': 7.8,
  // Composition roots: they construct namenodes, datanodes and clients.
  'client/embedded': 8, 'client/process': 8, 'client/driving': 8,
  // Public exports of the package, and its command line: they may use all of the client.
  'client/index.ts': 9, 'client/cli': 10,
  'test': 11,
}

/** Entry files of processes. Only these, composition roots and tests use the real world. */
export const mainFile = /(^|\/)main\.(ts|js)$|^client\/cli\/|^client\/(embedded|process)\/|^client\/index\.ts$|^test\//

/** Packages that only one room may import, so that they can be replaced there. */
export const packageHomes: Readonly<Record<string, RegExp>> = {
  undici: /^src\/(rpc|world|ports)\//,
  fastify: /^src\/(rpc|world|ports)\/|^client\/(gateway\/listener|serving\/server)\.ts$/,
  '@fastify/ajv-compiler': /^src\/rpc\//,
  '@fastify/fast-json-stringify-compiler': /^src\/rpc\//,
  lmdb: /^src\/world\//,
  pino: /^src\/world\//,
  '@duckdb/node-api': /^src\/world\//,
  'apache-arrow': /^(client\/sql\/|src\/operator\/arrow)/,
  esbuild: /^src\/program\/|^client\/console\/bundle\.ts$/,
  // Types only: its code would slow every start (src/protocol/schema.ts says more).
  typebox: /^src\/protocol\/schema\.ts$/,
  '@jridgewell/trace-mapping': /^src\/program\//,
  commander: /^client\/cli\//,
  'cli-progress': /^client\/cli\//,
  croner: /^client\/workflows\//,
  // Code for browsers.
  preact: /^client\/console\/page\//,
  '@preact/signals': /^client\/console\/page\//,
  '@dagrejs/dagre': /^client\/console\/page\//,
}

export function roomOf(path: string): string {
  const room = Object.keys(ranks).filter(name => path === name || path.startsWith(`${name}/`)).sort((a, b) => b.length - a.length)[0]
  if (room === undefined) throw new Error(`${path} lies in no room: name it in test/tidy/rooms.ts`)
  return room
}

/** Circles of imports, by value or by type, each as its files: a circle is read and changed as one file. */
export function circlesOf(sources: readonly Source[]): string[][] {
  const targets = new Map(sources.map(source => [source.path, importsOf(source).flatMap(({ specifier }) =>
    (specifier.startsWith('.') ? [posix.join(posix.dirname(source.path), specifier)] : []))]))
  const done = new Set<string>()
  const circles: string[][] = []
  const visit = (path: string, way: readonly string[]): void => {
    const from = way.indexOf(path)
    if (from >= 0) return void circles.push(way.slice(from))
    if (done.has(path)) return
    for (const target of targets.get(path) ?? []) visit(target, [...way, path])
    done.add(path)
  }
  for (const { path } of sources) visit(path, [])
  return circles
}

const houseOf = (room: string): string => room.split('/')[0]!

/** Fractional ranks count within one house only; namenode, datanode and client do not import each other. */
const rankFrom = (room: string, other: string): number => (houseOf(room) === houseOf(other) ? ranks[room]! : Math.floor(ranks[room]!))

/** All imports in the wrong direction, as sentences. */
export function misdirected(sources: readonly Source[]): string[] {
  const wrong: string[] = []
  for (const source of sources) {
    const room = roomOf(source.path)
    for (const { specifier, line } of importsOf(source)) {
      const where = `${source.path}:${line}`
      if (specifier.startsWith('.')) {
        const target = posix.normalize(posix.join(posix.dirname(source.path), specifier))
        const other = roomOf(target)
        if (other === 'src/world' && room !== 'src/world' && !mainFile.test(source.path)) {
          wrong.push(`${where} imports ${target}: only main files, composition roots and tests take the real world`)
        } else if (other !== room && rankFrom(other, room) >= rankFrom(room, other)) {
          wrong.push(`${where} (${room}, rank ${ranks[room]}) imports ${target} (${other}, rank ${ranks[other]})`)
        }
      } else if (specifier === 'gristmill' || specifier.startsWith('gristmill/')) {
        if (!source.path.startsWith('test/')) wrong.push(`${where} imports the package by its own name: write the file's path`)
      } else if (!specifier.startsWith('node:')) {
        const name = specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
        const home = packageHomes[name]
        if (home && !home.test(source.path) && !source.path.startsWith('test/'))
          wrong.push(`${where} imports ${name}, which belongs to ${home.source}`)
      }
    }
  }
  return wrong
}
