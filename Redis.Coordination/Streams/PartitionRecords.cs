using System.Collections.Concurrent;
using System.Net;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams;

/// <summary>
/// What Redis says about the partitions of topics. The record lies under the key of the topic itself, where the stream of a topic with
/// one partition would be: so each of them keeps the other from being written, also by processes that know nothing of partitions.
/// Safe for concurrent use.
/// </summary>
internal sealed class PartitionRecords(RedisDeployment deployment)
{
    private static readonly RedisScript s_record = RedisScript.Load<PartitionRecords>("record-partitions", repeatable: true);

    // By the primary at which it was compared: a failover may have lost the record.
    private readonly ConcurrentDictionary<(string Topic, StreamPartitions Partitions), EndPoint?> _compared = new();

    /// <summary>Records the partitions, or compares them; once for each topic and primary.</summary>
    /// <param name="topic">The key of the topic.</param>
    /// <param name="partitions">Its partitions as this process has them; with null or one there is nothing to compare.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="StreamPartitionsException">Others are recorded.</exception>
    public ValueTask EnsureAsync(string topic, StreamPartitions? partitions, CancellationToken cancellationToken)
    {
        if (partitions is not { Count: > 1 })
        {
            return ValueTask.CompletedTask;
        }
        var primary = deployment.ShardOf(topic).KnownPrimary;
        return _compared.TryGetValue((topic, partitions), out var at) && Equals(at, primary)
            ? ValueTask.CompletedTask
            : new ValueTask(CompareAsync(topic, partitions, primary, cancellationToken));
    }

    /// <summary>
    /// The same, also when they were compared before, for the record may have been deleted with the data, and when there is one only,
    /// which is compared and not recorded.
    /// </summary>
    /// <inheritdoc cref="EnsureAsync"/>
    public Task CompareAsync(string topic, StreamPartitions partitions, CancellationToken cancellationToken)
        => CompareAsync(topic, partitions, deployment.ShardOf(topic).KnownPrimary, cancellationToken);

    /// <summary>
    /// What a command on the key of a topic with one partition failed with: the number of its partitions, if it has more.
    /// </summary>
    public async Task<Exception> ExplainAsync(string topic, Exception failed, CancellationToken cancellationToken)
    {
        if (failed is not RedisServerException || !failed.Message.StartsWith("WRONGTYPE", StringComparison.Ordinal))
        {
            return failed;
        }
        try
        {
            var record = await deployment.RunAsync(
                topic, database => database.HashGetAsync(topic, ["name", "partitions"]), repeatable: true, cancellationToken);
            return Read(record[0], record[1]) is { } recorded
                ? new StreamPartitionsException(topic, new StreamPartitions("-", 1), recorded)
                : failed;
        }
        catch (RedisException)
        {
            return failed;
        }
    }

    private async Task CompareAsync(string topic, StreamPartitions partitions, EndPoint? primary, CancellationToken cancellationToken)
    {
        var reply = (RedisValue[])(await deployment.EvaluateAsync(
            s_record, [topic], [partitions.Name, partitions.Count], cancellationToken))!;
        var recorded = Read(reply[0], reply[1])
            ?? throw new RedisServerException($"WRONGTYPE '{topic}' is the key of something else than a topic.");
        // One has no name.
        if (recorded != partitions && (recorded.Count > 1 || partitions.Count > 1))
        {
            throw new StreamPartitionsException(topic, partitions, recorded);
        }
        _compared[(topic, partitions)] = primary;
    }

    private static StreamPartitions? Read(RedisValue name, RedisValue count)
        => count.TryParse(out int number) && number is >= 1 and <= StreamPartitions.MaxCount
            ? new StreamPartitions(name.IsNullOrEmpty ? "-" : (string)name!, number)
            : null;
}
