// Hadoop from the jars of Maven: its programs, and an HDFS in one process, for comparisons of answers and of speed.

import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { cache } from './client.ts'
import { Jars } from './maven.ts'

const exec = promisify(execFile)

/** Directory from which its programs are run. */
export const hadoop = join(cache, 'hadoop')
const jars = join(hadoop, 'lib')
export const hadoopVersion = '3.4.2'

export const hasHadoop = (): boolean => existsSync(jars)

/** Fetches the jars from Maven. */
export const installHadoop = (): Promise<void> => new Jars('hadoop', [
  { group: 'org.apache.hadoop', artifact: 'hadoop-minicluster', version: hadoopVersion },
  { group: 'org.apache.hadoop', artifact: 'hadoop-distcp', version: hadoopVersion },
  { group: 'junit', artifact: 'junit', version: '4.13.2' },
  { group: 'org.mockito', artifact: 'mockito-core', version: '4.11.0' },
]).install()

/** A namenode and datanodes of HDFS in one process, which ends when its stdin does. */
const miniSource = `import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hdfs.MiniDFSCluster;
public class Mini {
  public static void main(String[] args) throws Exception {
    Configuration conf = new Configuration();
    conf.setLong("dfs.namenode.fs-limits.min-block-size", 512);
    MiniDFSCluster cluster = new MiniDFSCluster.Builder(conf, new java.io.File(args[0])).numDataNodes(Integer.parseInt(args[1])).build();
    cluster.waitActive();
    System.out.println("UP " + cluster.getHttpUri(0));
    System.in.read();
    cluster.shutdown(true);
    System.exit(0);
  }
}
`

/** Programs of Hadoop end without a configuration on the class path, and print their log among their output without one for the log. */
export async function configureHadoop(dir: string): Promise<void> {
  await writeFile(join(dir, 'core-site.xml'), '<configuration/>')
  await writeFile(join(dir, 'log4j.properties'), 'log4j.rootLogger=OFF\n')
}

export async function startHdfs({ datanodes = 1, heap = '400m' } = {}): Promise<{ url: string; end: () => Promise<void> }> {
  const dir = hadoop
  await writeFile(join(dir, 'Mini.java'), miniSource)
  await configureHadoop(dir)
  await rm(join(dir, 'data'), { recursive: true, force: true })
  await exec('javac', ['-cp', 'lib/*', 'Mini.java'], { cwd: dir })
  const child: ChildProcess = spawn('java', [`-Xmx${heap}`, '-cp', `.${delimiter}lib/*`, 'Mini', join(dir, 'data'), String(datanodes)], {
    cwd: dir, stdio: ['pipe', 'pipe', 'ignore'],
  })
  const ended = new Promise<void>(resolve => { child.once('exit', () => resolve()) })
  let text = ''
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout!.on('data', (bytes: Buffer) => {
      const up = /UP (\S+)/.exec(text += bytes.toString())
      if (up) resolve(up[1]!.replace('0.0.0.0', '127.0.0.1'))
    })
    child.once('exit', code => reject(new Error(`HDFS ended with ${code}`)))
  })
  return {
    url,
    end: async () => {
      child.stdin!.end()
      await ended
    },
  }
}
