// Disk whose power can be cut: an ext4 file system in a sparse image file, mounted through a loop device. The cut is ext4's own shutdown
// ioctl without a log flush: from then on nothing reaches the file and every call gets EIO. A new mount shows the state that a machine
// finds after a power cut: all synced data, and data that the kernel happened to write back before.
// Invariants: an image is never mounted twice at a time; no mount outlives the test's process (reaper.ts handles killed processes).

import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, open, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Ability } from '../contract.ts'
import { forgetMount, watchMount } from './reaper.ts'

/** Sparse: unwritten parts take no space. */
const volumeBytes = 2 ** 30
/** No write-back without a sync for longer than a test lasts; and a rename does not flush the file's data. */
const mountOptions = 'loop,commit=300,noauto_da_alloc,nodiscard'
/** Executors of a dead datanode end by themselves soon; until then the volume is busy. */
const busyTries = 100
const busyMs = 100

/**
 * EXT4_IOC_SHUTDOWN with NOLOGFLUSH. Node has no ioctl; perl is on every Linux that can make an ext4. One perl process for all volumes, so
 * that they fail at the same moment.
 */
const shutDown =
  'for (@ARGV) { open(my $d, "<", $_) or die "$_: $!"; push @d, $d } my $how = pack("L", 2); for (@d) { defined(ioctl($_, 0x8004587d, $how)) or die "ioctl: $!" }'

export class Volume {
  /** Mount point. */
  readonly dir: string
  readonly #image: string
  #state: 'live' | 'dead' | 'unmounted' = 'unmounted'

  private constructor(dir: string, image: string) {
    this.dir = dir
    this.#image = image
  }

  /** Makes the file system and mounts it, empty, at `dir`. Throws with the tool's stderr. */
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

  /** Restores power: mounts it again; its content is what had been synced. REQUIRES: no process uses it any more. */
  async revive(): Promise<void> {
    await this.#unmount()
    await this.#mount()
  }

  /** Unmounts it for good; the image file stays. */
  async close(): Promise<void> {
    if (this.#state !== 'unmounted') await this.#unmount().catch(() => run('umount', ['--lazy', this.dir]))
    forgetMount(this.dir)
  }

  async #mount(): Promise<void> {
    watchMount(this.dir)
    // The previous loop device disappears by itself, a moment after its file system.
    await patiently(() => run('mount', ['-o', mountOptions, this.#image, this.dir]))
    this.#state = 'live'
  }

  /** Not lazily: a second mount of an image that is still in use would destroy both. */
  async #unmount(): Promise<void> {
    await patiently(() => run('umount', [this.dir]))
    this.#state = 'unmounted'
  }
}

let ability: Promise<Ability> | undefined

/** Checks by a trial that the power can be cut on this machine; once per process. */
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

/** Runs a system tool. Throws with its stderr. */
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
