import java.net.URI;
import java.util.*;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.*;
import org.apache.hadoop.fs.s3a.S3AFileSystem;
import org.apache.hadoop.fs.s3a.commit.files.SuccessData;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.*;

/**
 * Spark writes and reads tables at an address of s3a and at one of webhdfs. Arguments: the two addresses of one directory. Prints, for each
 * table that it has read, lines of its name, a region, the number of rows, the sum of amounts, and the number of notes.
 */
public class SparkJob {
  /** Rows; a row is made of its id. */
  static final long ROWS = 40_000;
  static final String REGIONS = "array('north', 'a=b/c%', 'süd ü', 'o\\'q\"', '日本+x')";
  /** Attempts that threw. */
  static final AtomicInteger thrown = new AtomicInteger();

  final SparkSession spark;
  final String s3a, web;

  SparkJob(SparkSession spark, String s3a, String web) {
    this.spark = spark;
    this.s3a = s3a;
    this.web = web;
  }

  /** Four partitions. */
  Dataset<Row> rows() {
    return spark.range(0, ROWS, 1, 4).selectExpr("id", "element_at(" + REGIONS + ", cast(id % 5 + 1 as int)) as region",
      "(id * 7919) % 10007 as amount", "if(id % 7 = 0, null, concat('n', id, ', \"q\" ü')) as note",
      "date_add(date'2026-01-01', cast(id % 365 as int)) as day");
  }

  record Failing(Iterator<Row> all, boolean always, AtomicInteger passed) implements Iterator<Row> {
    Failing(Iterator<Row> all, boolean always) { this(all, always, new AtomicInteger()); }
    public boolean hasNext() { return all.hasNext(); }
    public Row next() {
      TaskContext task = TaskContext.get();
      if (passed.getAndIncrement() == ROWS / 8 && task.partitionId() == 2 && (always || task.attemptNumber() == 0)) {
        thrown.incrementAndGet();
        throw new IllegalStateException("this attempt fails");
      }
      return all.next();
    }
  }

  /** The first attempt of the third partition, or each of its attempts, fails after half of its rows. */
  Dataset<Row> failing(boolean always) {
    Dataset<Row> rows = rows();
    MapPartitionsFunction<Row, Row> pass = all -> new Failing(all, always);
    return rows.mapPartitions(pass, Encoders.row(rows.schema()));
  }

  static void same(Object found, Object expected, String of) {
    if (!Objects.equals(found, expected)) throw new AssertionError(of + ": " + found + " is not " + expected);
  }

  void print(String name, Dataset<Row> table) {
    List<Row> sums = table.groupBy("region").agg(functions.count("*"), functions.sum("amount"), functions.count("note")).collectAsList();
    for (Row row : sums) System.out.println("= " + name + "\t" + row.mkString("\t"));
  }

  Dataset<Row> csv(String path) {
    return spark.read().option("header", true).option("escape", "\"")
      .schema("id bigint, region string, amount bigint, note string, day date").csv(path);
  }

  DataFrameWriter<Row> writer(Dataset<Row> rows, SaveMode mode, String committer) {
    DataFrameWriter<Row> writer = rows.write().mode(mode).option("header", true).option("escape", "\"");
    return committer.equals("webhdfs") ? writer : writer.option("fs.s3a.committer.name", committer);
  }

  void fails(Runnable write) {
    try { write.run(); } catch (Exception error) { return; }
    throw new AssertionError("did not fail");
  }

  /** Files below a directory, but for `_SUCCESS`. */
  List<String> files(String path) throws Exception {
    List<String> files = new ArrayList<>();
    FileSystem fs = FileSystem.get(URI.create(path), spark.sparkContext().hadoopConfiguration());
    if (!fs.exists(new Path(path))) return files;
    for (RemoteIterator<LocatedFileStatus> all = fs.listFiles(new Path(path), true); all.hasNext();) {
      String file = all.next().getPath().toUri().getPath();
      if (!file.endsWith("/_SUCCESS")) files.add(file);
    }
    return files;
  }

  /** Tables that one committer commits at an address. The other address is that of another protocol. */
  void commits(String committer, String at, String other) throws Exception {
    String dir = "/" + committer;
    int before = thrown.get();
    boolean s3 = !committer.equals("webhdfs"), own = s3 && !committer.equals("file");
    spark.conf().set("spark.sql.sources.commitProtocolClass", s3 ? "org.apache.spark.internal.io.cloud.PathOutputCommitProtocol"
      : "org.apache.spark.sql.execution.datasources.SQLHadoopMapReduceCommitProtocol");
    spark.conf().set("spark.sql.parquet.output.committer.class", s3 ? "org.apache.spark.internal.io.cloud.BindingParquetOutputCommitter"
      : "org.apache.parquet.hadoop.ParquetOutputCommitter");
    writer(failing(false), SaveMode.ErrorIfExists, committer).partitionBy("region").parquet(at + dir + "/parts");
    same(files(at + dir + "/parts").size(), 20, "files of the partitioned table");
    writer(failing(false), SaveMode.ErrorIfExists, committer).csv(at + dir + "/csv");
    same(thrown.get() - before, 2, "attempts that failed");
    same(files(at + dir + "/csv").size(), 4, "files of the table");
    fails(() -> writer(rows(), SaveMode.ErrorIfExists, committer).csv(at + dir + "/csv"));
    fails(() -> writer(failing(true), SaveMode.ErrorIfExists, committer).csv(at + dir + "/doomed"));
    same(files(at + dir + "/doomed"), List.of(), "files of a job that failed");
    writer(rows(), SaveMode.Overwrite, committer).parquet(at + dir + "/again");
    writer(rows().where("id < 20000"), SaveMode.Overwrite, committer).parquet(at + dir + "/again");
    print(committer + " half", spark.read().parquet(at + dir + "/again"));
    writer(rows().where("id >= 20000"), SaveMode.Append, committer).parquet(at + dir + "/again");
    for (String address : new String[] { at, other }) {
      print(committer + " parts", spark.read().parquet(address + dir + "/parts"));
      print(committer + " pruned", spark.read().parquet(address + dir + "/parts").where("region = 'a=b/c%' and amount > 9000"));
      print(committer + " csv", csv(address + dir + "/csv"));
      print(committer + " again", spark.read().parquet(address + dir + "/again"));
    }
    if (own) {
      SuccessData success = SuccessData.load(FileSystem.get(URI.create(at), spark.sparkContext().hadoopConfiguration()),
        new Path(at + dir + "/parts/_SUCCESS"));
      same(success.getCommitter(), committer, "committer");
      same(success.getFilenames().size(), 20, "files in _SUCCESS");
    }
  }

  /** Partitions of a table are put in the place of those that are there, the others stay. */
  void replaces(String committer, String at) throws Exception {
    Dataset<Row> doubled = rows().where("region = 'süd ü'").withColumn("amount", functions.expr("amount * 2"));
    DataFrameWriter<Row> writer = writer(doubled, committer.equals("partitioned") ? SaveMode.Append : SaveMode.Overwrite, committer)
      .partitionBy("region");
    if (committer.equals("partitioned")) writer.option("fs.s3a.committer.staging.conflict-mode", "replace");
    else writer.option("partitionOverwriteMode", "dynamic");
    writer.parquet(at + "/" + committer + "/parts");
    print(committer + " doubled", spark.read().parquet(at + "/" + committer + "/parts"));
  }

  public static void main(String[] args) throws Exception {
    SparkSession.Builder builder = SparkSession.builder().master("local[2,3]").config("spark.ui.enabled", false)
      .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1").config("spark.sql.shuffle.partitions", 2)
      .config("spark.sql.sources.partitionColumnTypeInference.enabled", false).config("spark.local.dir", args[2]);
    SparkSession spark = builder.getOrCreate();
    spark.sparkContext().setLogLevel("OFF");
    SparkJob job = new SparkJob(spark, args[0], args[1]);
    int failed = 0;
    for (String committer : args[3].split(",")) {
      long from = System.currentTimeMillis();
      boolean web = committer.equals("webhdfs");
      try {
        job.commits(committer, web ? job.web : job.s3a, web ? job.s3a : job.web);
        if (web || committer.equals("partitioned")) job.replaces(committer, web ? job.web : job.s3a);
        System.out.println(committer + " " + (System.currentTimeMillis() - from));
      } catch (Throwable error) {
        System.out.println(committer + " FAILED");
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
          System.out.println(cause);
          for (StackTraceElement at : cause.getStackTrace())
            if (at.getClassName().matches("SparkJob.*|.*s3a.*")) System.out.println("  " + at);
        }
        failed++;
      }
    }
    for (String at : new String[] { job.s3a, job.web }) {
      job.print("given", job.csv(at + "/given.csv"));
      job.print("given", spark.read().parquet(at + "/given"));
      for (String file : job.files(at))
        if (file.contains("/__magic") || file.contains("/_temporary") || file.contains(".spark-staging"))
          throw new AssertionError(file + " was left");
    }
    S3AFileSystem s3 = (S3AFileSystem) FileSystem.get(URI.create(job.s3a), spark.sparkContext().hadoopConfiguration());
    same(s3.listUploads("").hasNext(), false, "uploads");
    spark.stop();
    System.exit(failed == 0 ? 0 : 1);
  }
}
