// Catalog of all commands, by group, in the order of `gristmill --help`: name of each and the import of its file. A command line loads the
// file of its own command only. Also the options that every command accepts, before or after its name.

import { colorChoices } from './printer.ts'
import { oneOf, option, type CommandSpec, type OptionSpec } from './spec.ts'

interface CommandGroup {
  readonly title: string
  readonly commands: Readonly<Record<string, () => Promise<CommandSpec>>>
}

export const catalog: readonly CommandGroup[] = [
  {
    title: 'Files',
    commands: {
      put: async () => (await import('./files/put.ts')).put,
      get: async () => (await import('./files/copy.ts')).get,
      import: async () => (await import('./files/transfer.ts')).importSpec,
      export: async () => (await import('./files/transfer.ts')).exportSpec,
      cat: async () => (await import('./files/cat.ts')).cat,
      ls: async () => (await import('./files/ls.ts')).ls,
      mkdir: async () => (await import('./files/create.ts')).mkdir,
      rm: async () => (await import('./files/rm.ts')).rm,
      mv: async () => (await import('./files/copy.ts')).mv,
      cp: async () => (await import('./files/copy.ts')).cp,
      du: async () => (await import('./files/usage.ts')).du,
      df: async () => (await import('./files/usage.ts')).df,
      stat: async () => (await import('./files/stat.ts')).stat,
      head: async () => (await import('./files/cat.ts')).head,
      tail: async () => (await import('./files/cat.ts')).tail,
      count: async () => (await import('./files/usage.ts')).count,
      find: async () => (await import('./files/find.ts')).find,
      setrep: async () => (await import('./files/setrep.ts')).setrep,
      test: async () => (await import('./files/test.ts')).test,
      getmerge: async () => (await import('./files/getmerge.ts')).getmerge,
      append: async () => (await import('./files/append.ts')).append,
      checksum: async () => (await import('./files/checksum.ts')).checksum,
      touch: async () => (await import('./files/create.ts')).touch,
      chmod: async () => (await import('./files/permissions.ts')).chmod,
      chown: async () => (await import('./files/permissions.ts')).chown,
      getfacl: async () => (await import('./files/acl.ts')).getfacl,
      setfacl: async () => (await import('./files/acl.ts')).setfacl,
    },
  },
  {
    title: 'Trash, snapshots, quotas, attributes',
    commands: {
      trash: async () => (await import('./files/trash.ts')).trash,
      history: async () => (await import('./files/history.ts')).history,
      rollback: async () => (await import('./files/history.ts')).rollback,
      diff: async () => (await import('./files/lineage.ts')).diff,
      lineage: async () => (await import('./files/lineage.ts')).lineage,
      why: async () => (await import('./files/lineage.ts')).why,
      snapshot: async () => (await import('./files/snapshot.ts')).snapshot,
      quota: async () => (await import('./files/quota.ts')).quota,
      xattr: async () => (await import('./files/xattr.ts')).xattr,
    },
  },
  {
    title: 'Jobs',
    commands: {
      init: async () => (await import('./jobs/init.ts')).init,
      run: async () => (await import('./jobs/run.ts')).run,
      stream: async () => (await import('./jobs/stream.ts')).stream,
      sql: async () => (await import('./jobs/sql.ts')).sql,
      build: async () => (await import('./jobs/build.ts')).build,
      rerun: async () => (await import('./jobs/rerun.ts')).rerun,
      jobs: async () => (await import('./jobs/jobs.ts')).jobs,
      job: async () => (await import('./jobs/job.ts')).job,
      queues: async () => (await import('./jobs/queues.ts')).queues,
      logs: async () => (await import('./jobs/logs.ts')).logs,
      kill: async () => (await import('./jobs/jobs.ts')).kill,
    },
  },
  {
    title: 'Servers',
    commands: {
      namenode: async () => (await import('./cluster/namenode.ts')).namenode,
      datanode: async () => (await import('./cluster/datanode.ts')).datanode,
      gateway: async () => (await import('./cluster/gateway.ts')).gateway,
      serve: async () => (await import('./cluster/gateway.ts')).serve,
      'serve-kv': async () => (await import('./cluster/servekv.ts')).serveKv,
      console: async () => (await import('./cluster/console.ts')).console,
      up: async () => (await import('./cluster/up.ts')).up,
      down: async () => (await import('./cluster/up.ts')).down,
      status: async () => (await import('./cluster/status.ts')).status,
      config: async () => (await import('./cluster/config.ts')).config,
      loglevel: async () => (await import('./cluster/loglevel.ts')).loglevel,
    },
  },
  {
    title: 'Users of gateways, and their uploads',
    commands: {
      user: async () => (await import('./cluster/user.ts')).user,
      upload: async () => (await import('./cluster/upload.ts')).upload,
    },
  },
  {
    title: 'Service of datanodes',
    commands: {
      decommission: async () => (await import('./cluster/service.ts')).decommission,
      recommission: async () => (await import('./cluster/service.ts')).recommission,
      maintenance: async () => (await import('./cluster/service.ts')).maintenance,
      forget: async () => (await import('./cluster/service.ts')).forget,
      balance: async () => (await import('./cluster/balance.ts')).balance,
    },
  },
  {
    title: 'Health',
    commands: {
      fsck: async () => (await import('./cluster/fsck.ts')).fsck,
      report: async () => (await import('./cluster/status.ts')).report,
      safemode: async () => (await import('./cluster/safemode.ts')).safemode,
    },
  },
  { title: 'Help', commands: { completion: async () => (await import('./completion.ts')).completionOf(loadWords) } },
]

export const globals: readonly OptionSpec[] = [
  option(
    '--cluster <address>',
    "a namenode's host:port, or `embedded` (default: GRISTMILL_CLUSTER, the cluster of `gristmill up` in this home, else embedded)",
  ),
  option('--secret-file <file>', "file with the cluster's secret (default: GRISTMILL_SECRET_FILE, or the one of `gristmill up`)"),
  option('--home <directory>', 'directory of the embedded cluster and the settings (default: GRISTMILL_HOME or ~/.gristmill)'),
  option('--config <file>', 'settings file (default: config.json in the home)'),
  option('--json', 'print JSON: one document, or for lists one object per line'),
  option('--quiet', 'print no progress and no notes'),
  option('--color <when>', 'auto, always or never: colours of the output (default: auto, on a terminal; NO_COLOR and FORCE_COLOR are heeded)', {
    parse: oneOf(...colorChoices),
  }),
]

/** A command with the title of its group. */
export interface Listed {
  readonly group: string
  readonly spec: CommandSpec
}

export const commandNames: readonly string[] = catalog.flatMap(({ commands }) => Object.keys(commands))

/** Loads one command; undefined if there is none of this name. */
export async function loadCommand(name: string): Promise<Listed | undefined> {
  const group = catalog.find(({ commands }) => Object.hasOwn(commands, name))
  return group && { group: group.title, spec: await group.commands[name]!() }
}

const loadWords = async () => ({ commands: (await loadAll()).map(({ spec }) => spec), globals })

/** Loads all commands, for the general help, the completion scripts and the docs. */
export async function loadAll(): Promise<Listed[]> {
  return Promise.all(commandNames.map(async name => (await loadCommand(name))!))
}
