// A disk whose power can be cut: an ext4 file system of its own, in a sparse file, mounted through a loop device. The cut is ext4's own
// shutdown call, without flushing its log: from that moment on nothing reaches the file, and every call gets EIO. What is mounted
// again is what a machine finds that comes back: all that was synced, and what the kernel had happened to write by itself.
// Invariants: a file is never mounted twice at a time; no mount outlives the test's process (reaper.ts sees to the hard cases).

import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, open, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Ability } from '../contract.ts'
import { forgetMount, watchMount } from './reaper.ts'

/** Sparse: what is never written takes no room. */
const volumeBytes = 2 ** 30
/** Nothing is written before a sync asks for it, for longer than a test lasts; and a rename does not bring its file's bytes along. */
const mountOptions = 'loop,commit=300,noauto_da_alloc,nodiscard'
/** Executors of a dead datanode end by themselves, soon. */
const busyTries = 100
const busyMs = 100

/**
 * EXT4_IOC_SHUTDOWN with NOLOGFLUSH. Node has no ioctl; perl is on every Linux that can make an ext4. One process for all, so that it is
 * one moment.
 */
const shutDown =
  'for (@ARGV) { open(my $d, "<", $_) or die "$_: $!"; push @d, $d } my $how = pack("L", 2); for (@d) { defined(ioctl($_, 0x8004587d, $how)) or die "ioctl: $!" }'

export class Volume {
  /** Where it is mounted. */
  readonly dir: string
  readonly #image: string
  #state: 'live' | 'dead' | 'unmounted' = 'unmounted'

  private constructor(dir: string, image: string) {
    this.dir = dir
    this.#image = image
  }

  /** Makes the file system and mounts it, empty, at `dir`. Throws with the tool's words. */
  static async create(dir: string, image: string): Promise<Volume> {
    await mkdir(dir, { recursive: true, mode: 0o700 })
    const file = await open(image, 'wx', 0o600)
    await file.truncate(volumeBytes).finally(() => file.close())
    await run('mkfs.ext4', ['-q', '-F', '-m', '0', '-E', 'lazy_itable_init=1,lazy_journal_init=1,nodiscard', image])
    const volume = new Volume(dir, image)
    await volume.#mount()
    await rmdir(join(dir, 'lost+found'))
    await chmod(dir, 0o700)
    const root = await open(dir)
    await root.sync().finally(() => root.close())
    return volume
  }

  /** Cuts the power of all of them at the same moment. REQUIRES: each is live. */
  static async cut(volumes: readonly Volume[]): Promise<void> {
    await run('perl', ['-e', shutDown, ...volumes.map(volume => volume.dir)])
    for (const volume of volumes) volume.#state = 'dead'
  }

  /** The power is back: mounted again, what is there is what had been synced. REQUIRES: nobody uses it any more. */
  async revive(): Promise<void> {
    await this.#unmount()
    await this.#mount()
  }

  /** Unmounts it for good; the file stays. */
  async close(): Promise<void> {
    if (this.#state !== 'unmounted') await this.#unmount().catch(() => run('umount', ['--lazy', this.dir]))
    forgetMount(this.dir)
  }

  async #mount(): Promise<void> {
    watchMount(this.dir)
    // The loop device of the last time goes by itself, a moment after its file system.
    await patiently(() => run('mount', ['-o', mountOptions, this.#image, this.dir]))
    this.#state = 'live'
  }

  /** Really unmounted, not lazily: a second mount beside one that is still in use would ruin both. */
  async #unmount(): Promise<void> {
    await patiently(() => run('umount', [this.dir]))
    this.#state = 'unmounted'
  }
}

let ability: Promise<Ability> | undefined

/** Whether the power can be cut on this machine: tried out, once a process. */
export const canCutPower = (): Promise<Ability> => ability ??= tryOut()

async function tryOut(): Promise<Ability> {
  if (process.platform !== 'linux')
    return { can: false, why: `this is ${process.platform}; the power can be cut on Linux only, where ext4 can be shut down` }
  if (process.getuid?.() !== 0)
    return { can: false, why: 'file systems are mounted by root only; run the tests as root, in a container of its own for example' }
  const dir = await mkdtemp(join(tmpdir(), 'gristmill-power-'))
  let volume: Volume | undefined
  try {
    volume = await Volume.create(join(dir, 'disk'), join(dir, 'disk.ext4'))
    const [kept, lost] = [join(volume.dir, 'synced'), join(volume.dir, 'unsynced')]
    await writeFile(kept, 'rye', { flush: true })
    await writeFile(lost, 'oats')
    await Volume.cut([volume])
    await volume.revive()
    const text = await readFile(kept, 'utf8')
    const left = await readFile(lost, 'utf8').catch(() => '')
    if (text !== 'rye' || left !== '')
      return {
        can: false,
        why: `the power of an ext4 was cut, and it kept ${left === '' ? '' : 'what was not synced'}${text === 'rye' ? '' : ' not even what was synced'}`,
      }
    return { can: true, why: '' }
  } catch (error) {
    return {
      can: false,
      why: `${(error as Error).message}; it needs mkfs.ext4, perl, loop devices and the right to mount (in a container: --privileged)`,
    }
  } finally {
    await volume?.close().catch(() => {})
    await rm(dir, { recursive: true, force: true })
  }
}

/** Runs a tool of the system. Throws with what it said. */
function run(tool: string, args: readonly string[]): Promise<void> {
  const env = { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin:/usr/bin:/bin`, LC_ALL: 'C' }
  return new Promise((resolve, reject) => {
    execFile(tool, args, { env }, (error, _, stderr) => {
      if (!error) return resolve()
      reject(
        new Error(
          (error as NodeJS.ErrnoException).code === 'ENOENT'
            ? `${tool} is not installed`
            : `${tool} failed: ${stderr.trim() || error.message}`,
        ),
      )
    })
  })
}

async function patiently(work: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if (tries === busyTries || !/busy/i.test((error as Error).message)) throw error
      await new Promise(resolve => setTimeout(resolve, busyMs))
    }
  }
}
