import java.io.*;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.*;
import java.util.concurrent.*;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.*;
import org.apache.hadoop.fs.s3a.S3AFileSystem;
import org.apache.hadoop.util.ToolRunner;

/** Checks of s3a through the interface of Hadoop for programs; with the argument `shell`: commands of `hadoop fs`. */
public class S3A {
  static byte[] noise(int bytes) {
    byte[] data = new byte[bytes];
    new Random(7).nextBytes(data);
    return data;
  }

  static void same(Object found, Object expected, String of) {
    if (!Objects.equals(found, expected)) throw new AssertionError(of + ": " + found + " is not " + expected);
  }

  interface Action { void run() throws Exception; }

  static <T extends Throwable> T fails(Class<T> kind, Action action) throws Exception {
    try { action.run(); } catch (Throwable error) {
      if (kind.isInstance(error)) return kind.cast(error);
      throw new AssertionError("not " + kind, error);
    }
    throw new AssertionError("no " + kind);
  }

  static byte[] read(FileSystem fs, Path path) throws IOException {
    try (FSDataInputStream in = fs.open(path)) { return in.readAllBytes(); }
  }

  static void write(FileSystem fs, Path path, byte[] data) throws IOException {
    try (FSDataOutputStream out = fs.create(path, true)) { out.write(data); }
  }

  static Set<String> names(FileSystem fs, Path dir) throws IOException {
    Set<String> names = new TreeSet<>();
    RemoteIterator<LocatedFileStatus> files = fs.listFiles(dir, true);
    while (files.hasNext()) names.add(files.next().getPath().toUri().getPath().substring(dir.toUri().getPath().length() + 1));
    return names;
  }

  /** Parts of 5 MiB from memory and from disk, with checksums; seeks, several ranges at once, a longer read than the file. */
  static void parts(FileSystem fs, Path at) throws Exception {
    byte[] data = noise(12 * 1024 * 1024 + 17);
    for (String buffer : new String[] { "disk", "array", "bytebuffer" }) {
      for (String sum : new String[] { "", "CRC32", "CRC32C" }) {
        if (!sum.isEmpty() && !buffer.equals("array")) continue;
        Configuration conf = new Configuration(fs.getConf());
        conf.set("fs.s3a.fast.upload.buffer", buffer);
        if (!sum.isEmpty()) conf.set("fs.s3a.create.checksum.algorithm", sum);
        try (FileSystem other = FileSystem.newInstance(fs.getUri(), conf)) {
          Path file = new Path(at, "parts-" + buffer + sum);
          write(other, file, data);
          same(Arrays.equals(read(other, file), data), true, buffer + sum);
          same(other.getFileStatus(file).getLen(), (long) data.length, "length");
        }
      }
    }
    Path file = new Path(at, "parts-disk");
    for (String policy : new String[] { "random", "sequential", "whole-file", "adaptive", "vector", "parquet" }) {
      try (FSDataInputStream in = fs.openFile(file).opt("fs.option.openfile.read.policy", policy).build().get()) {
        byte[] piece = new byte[1000];
        for (int position : new int[] { 5, 11_000_000, 3, data.length - 1000, 6_000_000 }) {
          in.seek(position);
          in.readFully(piece);
          same(Arrays.equals(piece, Arrays.copyOfRange(data, position, position + 1000)), true, policy + position);
          in.readFully(position / 2, piece);
          same(Arrays.equals(piece, Arrays.copyOfRange(data, position / 2, position / 2 + 1000)), true, policy + position / 2);
        }
        in.seek(data.length);
        same(in.read(), -1, "end");
        fails(EOFException.class, () -> in.readFully(data.length - 3L, piece));
        List<FileRange> ranges = new ArrayList<>();
        for (int i = 0; i < 40; i++) ranges.add(FileRange.createFileRange(i * 300_000L, 100 + i * 300));
        in.readVectored(ranges, ByteBuffer::allocate);
        for (FileRange range : ranges) {
          ByteBuffer bytes = range.getData().get(60, TimeUnit.SECONDS);
          int from = (int) range.getOffset();
          same(bytes, ByteBuffer.wrap(data, from, range.getLength()), "range " + from);
        }
      }
    }
    Configuration prefetch = new Configuration(fs.getConf());
    prefetch.set("fs.s3a.input.stream.type", "prefetch");
    prefetch.set("fs.s3a.prefetch.block.size", "1M");
    try (FileSystem other = FileSystem.newInstance(fs.getUri(), prefetch)) {
      same(Arrays.equals(read(other, file), data), true, "prefetch");
    }
    Configuration sums = new Configuration(fs.getConf());
    sums.setBoolean("fs.s3a.etag.checksum.enabled", true);
    sums.setBoolean("fs.s3a.checksum.validation", true);
    try (FileSystem other = FileSystem.newInstance(fs.getUri(), sums)) {
      Path small = new Path(at, "sum"), copy = new Path(at, "sum copied");
      write(other, small, "hello world\n".getBytes());
      // The MD5 of the bytes.
      same(new String(other.getFileChecksum(small).getBytes()).replace("\"", ""), "6f5902ac237024bdd0c176cb93063dc4", "checksum");
      FileUtil.copy(other, small, other, copy, false, other.getConf());
      same(other.getFileChecksum(copy), other.getFileChecksum(small), "checksum of a copy");
      same(Arrays.equals(read(other, file), data), true, "read with validation");
    }
    fs.delete(at, true);
  }

  /** Of several creators without overwrite one succeeds, also if each sends parts; a change of the ETag is seen. */
  static void conditions(FileSystem fs, Path at) throws Exception {
    byte[] large = noise(6 * 1024 * 1024);
    for (boolean multipart : new boolean[] { false, true }) {
      Path file = new Path(at, "once " + multipart);
      ExecutorService pool = Executors.newFixedThreadPool(4);
      List<Future<Boolean>> creators = new ArrayList<>();
      CyclicBarrier all = new CyclicBarrier(4);
      for (int i = 0; i < 4; i++) {
        int own = i;
        creators.add(pool.submit(() -> {
          try {
            FSDataOutputStream out = (FSDataOutputStream) fs.createFile(file).overwrite(true).recursive()
              .must("fs.option.create.conditional.overwrite", true).opt("fs.s3a.create.multipart", multipart).build();
            if (multipart) out.write(large);
            out.write(own);
            all.await();
            out.close();
            return true;
          } catch (IOException refused) {
            return false;
          }
        }));
      }
      int succeeded = 0, winner = -1;
      for (int i = 0; i < 4; i++) if (creators.get(i).get()) { succeeded++; winner = i; }
      pool.shutdown();
      same(succeeded, 1, "creators");
      byte[] found = read(fs, file);
      same(found.length, multipart ? large.length + 1 : 1, "length");
      same((int) found[found.length - 1], winner, "winner");
      fails(FileAlreadyExistsException.class, () -> fs.create(file, false).close());
      String etag = ((EtagSource) fs.getFileStatus(file)).getEtag();
      try (FSDataOutputStream out = onlyIf(fs, file, etag)) {
        out.write(42);
      }
      fails(IOException.class, () -> {
        try (FSDataOutputStream out = onlyIf(fs, file, etag)) {
          out.write(43);
        }
      });
      same((int) read(fs, file)[0], 42, "value");
    }
    Path read = new Path(at, "read");
    write(fs, read, noise(300_000));
    try (FSDataInputStream in = fs.openFile(read).opt("fs.option.openfile.read.policy", "random").build().get()) {
      in.readFully(0, new byte[10]);
      write(fs, read, new byte[300_000]);
      fails(RemoteFileChanged(), () -> in.readFully(290_000, new byte[10]));
    }
    fs.delete(at, true);
  }

  static FSDataOutputStream onlyIf(FileSystem fs, Path file, String etag) throws Exception {
    FSDataOutputStreamBuilder<?, ?> builder = fs.createFile(file).overwrite(true);
    builder.must("fs.option.create.conditional.overwrite.etag", etag);
    return (FSDataOutputStream) builder.build();
  }

  static Class<? extends IOException> RemoteFileChanged() { return org.apache.hadoop.fs.s3a.RemoteFileChangedException.class; }

  /** Directories are there after mkdirs, after their last file is gone, and not after they are removed; a file is no directory. */
  static void directories(FileSystem fs, Path at) throws Exception {
    Path dir = new Path(at, "a/b c/d+"), file = new Path(dir, "f%20 ü");
    fs.mkdirs(dir);
    same(fs.getFileStatus(dir).isDirectory(), true, "directory");
    same(fs.listStatus(dir).length, 0, "entries");
    write(fs, file, new byte[] { 1 });
    same(fs.listStatus(dir)[0].getPath().getName(), "f%20 ü", "name");
    same(fs.delete(file, false), true, "deleted");
    same(fs.getFileStatus(dir).isDirectory(), true, "directory without its file");
    fails(PathIsNotEmptyDirectoryException.class, () -> fs.delete(new Path(at, "a"), false));
    write(fs, file, new byte[] { 1 });
    fails(FileAlreadyExistsException.class, () -> fs.mkdirs(file));
    fails(FileAlreadyExistsException.class, () -> fs.create(dir, true).close());
    fails(FileNotFoundException.class, () -> fs.open(dir));
    fails(FileNotFoundException.class, () -> fs.getFileStatus(new Path(dir, "none")));
    fails(IOException.class, () -> fs.mkdirs(new Path(file, "below")));
    fails(UnsupportedOperationException.class, () -> fs.append(file));
    // s3a puts a directory in the place of an empty one.
    Path into = new Path(at, "into");
    fs.mkdirs(into);
    same(fs.rename(dir, into), true, "renamed");
    same(fs.exists(new Path(into, "f%20 ü")), true, "file of a renamed directory");
    same(fs.exists(dir), false, "source of the rename");
    same(fs.getFileStatus(dir.getParent()).isDirectory(), true, "directory above the source of the rename");
    same(fs.rename(new Path(into, "f%20 ü"), at), true, "file renamed into a directory");
    same(fs.exists(new Path(at, "f%20 ü")), true, "file renamed into a directory");
    same(fs.getFileStatus(into).isDirectory(), true, "directory without its file");
    same(fs.rename(at, new Path(into, "x")), false, "renamed below itself");
    same(fs.delete(at, true), true, "deleted");
    same(fs.exists(at), false, "exists");
    same(fs.delete(at, true), false, "deleted twice");
  }

  /** 300 files, in pages of 100: listed, renamed as a tree, deleted in bulk. */
  static void trees(FileSystem fs, Path at) throws Exception {
    Path tree = new Path(at, "tree ü"), other = new Path(at, "other");
    Set<String> expected = new TreeSet<>();
    ExecutorService pool = Executors.newFixedThreadPool(8);
    List<Future<?>> writes = new ArrayList<>();
    for (int i = 0; i < 300; i++) {
      String name = "d" + i % 7 + "/e" + i % 3 + "/f " + i + "+%";
      expected.add(name);
      writes.add(pool.submit(() -> { write(fs, new Path(tree, name), name.getBytes()); return null; }));
    }
    for (Future<?> done : writes) done.get();
    fs.mkdirs(new Path(tree, "empty"));
    pool.shutdown();
    same(names(fs, tree), expected, "names");
    same(fs.getContentSummary(tree).getFileCount(), 300L, "files");
    same(fs.rename(tree, other), true, "renamed");
    same(names(fs, other), expected, "names after the rename");
    same(fs.getFileStatus(new Path(other, "empty")).isDirectory(), true, "empty directory after the rename");
    same(fs.exists(tree), false, "source");
    same(new String(read(fs, new Path(other, "d3/e0/f 3+%"))), "d3/e0/f 3+%", "content");
    try (BulkDelete bulk = fs.createBulkDelete(other)) {
      List<Path> page = new ArrayList<>();
      for (String name : expected) if (page.size() < bulk.pageSize()) page.add(new Path(other, name));
      page.set(0, new Path(other, "never was"));
      same(bulk.pageSize() > 1, true, "page size");
      same(bulk.bulkDelete(page).size(), 0, "failures");
    }
    same(names(fs, other).size() < 300, true, "names after the bulk deletion");
    same(fs.delete(other, true), true, "deleted");
    same(fs.exists(other), false, "exists");
    fs.delete(at, true);
  }

  /** Uploads of Hadoop's own interface: parts out of order, completed; aborted; found and aborted by a path. */
  static void uploads(S3AFileSystem fs, Path at) throws Exception {
    Path file = new Path(at, "joined");
    byte[] first = noise(5 * 1024 * 1024), last = "tail".getBytes();
    fs.mkdirs(at);
    try (MultipartUploader uploader = fs.createMultipartUploader(at).build()) {
      UploadHandle upload = uploader.startUpload(file).get();
      Map<Integer, PartHandle> parts = new HashMap<>();
      parts.put(2, uploader.putPart(upload, 2, true, file, new ByteArrayInputStream(last), last.length).get());
      parts.put(1, uploader.putPart(upload, 1, false, file, new ByteArrayInputStream(first), first.length).get());
      uploader.complete(upload, file, parts).get();
      same(read(fs, file).length, first.length + last.length, "length");
      UploadHandle aborted = uploader.startUpload(new Path(at, "aborted")).get();
      uploader.putPart(aborted, 1, true, new Path(at, "aborted"), new ByteArrayInputStream(last), last.length).get();
      uploader.abort(aborted, new Path(at, "aborted")).get();
      UploadHandle left = uploader.startUpload(new Path(at, "left")).get();
      uploader.putPart(left, 1, true, new Path(at, "left"), new ByteArrayInputStream(last), last.length).get();
    }
    String prefix = at.toUri().getPath().substring(1);
    int found = 0;
    for (var all = fs.listUploads(prefix); all.hasNext(); all.next()) found++;
    same(found, 1, "uploads");
    Configuration conf = new Configuration(fs.getConf());
    org.apache.hadoop.fs.s3a.s3guard.S3GuardTool.run(conf, new String[] { "uploads", "-abort", "-force", at.toString() });
    same(fs.listUploads(prefix).hasNext(), false, "uploads after the abortion");
    fs.delete(at, true);
  }

  /** Headers of the user come back as attributes. */
  static void headers(FileSystem fs, Path at) throws Exception {
    Path file = new Path(at, "headers");
    FSDataOutputStreamBuilder<?, ?> builder = fs.createFile(file).recursive();
    builder.must("fs.s3a.create.header.grain", "rye");
    try (FSDataOutputStream out = (FSDataOutputStream) builder.build()) { out.write(1); }
    same(new String(fs.getXAttr(file, "header.grain"), StandardCharsets.UTF_8), "rye", "header");
    same(new String(fs.getXAttr(file, "header.Content-Length"), StandardCharsets.UTF_8), "1", "length");
    fs.delete(at, true);
  }

  /** Errors: a bucket that is not there, a key that is not there, a secret that is wrong. */
  static void errors(FileSystem fs) throws Exception {
    fails(org.apache.hadoop.fs.s3a.UnknownStoreException.class, () -> {
      try (FileSystem none = FileSystem.newInstance(java.net.URI.create("s3a://no-such-bucket-here"), fs.getConf())) {
        none.listStatus(new Path("/"));
      }
    });
    Configuration wrong = new Configuration(fs.getConf());
    wrong.set("fs.s3a.access.key", System.getenv("AWS_ACCESS_KEY_ID"));
    wrong.set("fs.s3a.secret.key", "not the secret");
    try (FileSystem other = FileSystem.newInstance(fs.getUri(), wrong)) {
      fails(java.nio.file.AccessDeniedException.class, () -> other.listStatus(new Path("/")));
      fails(java.nio.file.AccessDeniedException.class, () -> write(other, new Path("/x"), new byte[1]));
    }
  }

  /** Commands of `hadoop fs`: lines of words with tabs between them. Prints the exit code and the output of each. */
  static void shell(Configuration conf, PrintStream print) throws Exception {
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      PrintStream to = new PrintStream(bytes, true, StandardCharsets.UTF_8);
      System.setOut(to);
      System.setErr(to);
      int code;
      try { code = ToolRunner.run(new FsShell(conf), line.split("\t")); } catch (Throwable e) { e.printStackTrace(print); code = 99; }
      to.flush();
      print.print("\u0001" + code + " " + bytes.toString(StandardCharsets.UTF_8));
    }
    print.flush();
  }

  public static void main(String[] args) throws Exception {
    Configuration conf = new Configuration();
    if (args[0].equals("shell")) {
      shell(conf, new PrintStream(new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8));
      return;
    }
    Path at = new Path(args[0]);
    S3AFileSystem fs = (S3AFileSystem) at.getFileSystem(conf);
    fs.delete(at, true);
    String[] names = { "parts", "conditions", "directories", "trees", "uploads", "headers", "errors" };
    Action[] checks = {
      () -> parts(fs, new Path(at, "parts")), () -> conditions(fs, new Path(at, "conditions")), () -> directories(fs, new Path(at, "dirs")),
      () -> trees(fs, new Path(at, "trees")), () -> uploads(fs, new Path(at, "uploads")), () -> headers(fs, new Path(at, "headers")),
      () -> errors(fs),
    };
    int failed = 0;
    for (int i = 0; i < names.length; i++) {
      long from = System.currentTimeMillis();
      try {
        checks[i].run();
        System.out.println(names[i] + " " + (System.currentTimeMillis() - from));
      } catch (Throwable error) {
        System.out.println(names[i] + " FAILED");
        error.printStackTrace(System.out);
        failed++;
      }
    }
    same(fs.listUploads("").hasNext(), false, "uploads");
    fs.close();
    System.exit(failed == 0 ? 0 : 1);
  }
}
