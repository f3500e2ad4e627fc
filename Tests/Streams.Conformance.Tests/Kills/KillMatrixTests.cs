using System.Globalization;
using AspireRedis.Coordination;
using AspireRedis.Puppet.StreamWorkers;
using AspireRedis.Testing;
using AspireRedis.Topology;

namespace AspireRedis.Streams.Conformance.Kills;

/// <summary>
/// SIGKILL to consumers at every step and to Redis: nothing acknowledged is lost, and effects happen as often as
/// promised.
/// </summary>
public sealed class KillMatrixTests(KillMatrix matrix, RedisFixture redis) : IClassFixture<KillMatrix>, IClassFixture<RedisFixture>
{
    private const string State = "state";
    private const string Mail = "mail";
    private const int Lives = 3;
    private static readonly TimeSpan s_lifeBound = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(State, CrashPoint.AfterRead, "consumer, after the read")]
    [InlineData(State, CrashPoint.InHandler, "consumer, in the handler before the effect")]
    [InlineData(State, CrashPoint.AfterEffect, "consumer, after the effect before the acknowledgement")]
    [InlineData(State, CrashPoint.AfterAcknowledgement, "consumer, after the acknowledgement")]
    [InlineData(Mail, CrashPoint.AfterRead, "consumer, after the read")]
    [InlineData(Mail, CrashPoint.InHandler, "consumer, in the handler before the effect")]
    [InlineData(Mail, CrashPoint.AfterEffect, "consumer, after the effect before the acknowledgement")]
    [InlineData(Mail, CrashPoint.AfterAcknowledgement, "consumer, after the acknowledgement")]
    public async Task A_consumer_that_is_killed_at_a_step(string kind, CrashPoint point, string fault)
    {
        using var folder = new TemporaryDirectory();
        var mails = folder.Path;
        await using var log = await EventLog.ConnectAsync(redis.ConnectionString, $"{kind}:{point}", Durability.Memory);
        for (var life = 0; life < Lives; life++)
        {
            // For each life its own: one that is slow to kill itself may have handled all that there was.
            await log.AppendAsync(70);
            // The first two have the same name: what the first left is resumed by the second, what both left is claimed.
            await using var worker = StartWorker(kind, redis.ConnectionString, log.Stream, $"consumer-{life / 2}", mails, point, 10);
            Assert.Equal(PuppetProcess.KilledExitCode, await worker.WaitForExitAsync(s_lifeBound));
        }
        await using var last = StartWorker(kind, redis.ConnectionString, log.Stream, "last", mails);
        await DoneAsync(log, kind);

        await CheckAsync(fault, Lives, log, kind, mails);
    }

    [Theory]
    [InlineData(State)]
    [InlineData(Mail)]
    public async Task A_consumer_of_several_that_is_killed_at_any_moment(string kind)
    {
        using var folder = new TemporaryDirectory();
        var mails = folder.Path;
        await using var log = await EventLog.ConnectAsync(redis.ConnectionString, $"{kind}:any-moment", Durability.Memory);
        await using var survivor = StartWorker(kind, redis.ConnectionString, log.Stream, "survivor", mails);
        for (var life = 0; life < Lives; life++)
        {
            await using var killed = StartWorker(kind, redis.ConnectionString, log.Stream, "killed", mails);
            await Eventually.TrueAsync(
                async () =>
                {
                    // A server before 7.2 knows of no consumer that has read nothing.
                    await log.AppendAsync(1);
                    return await HasReadAsync(log, kind, "killed");
                },
                "the one that is to be killed takes part", s_lifeBound);
            await log.AppendAsync(300, atHalf: killed.Kill);
        }
        await DoneAsync(log, kind);

        await CheckAsync("consumer, one of two, at any moment", Lives, log, kind, mails);
    }

    [Fact]
    public async Task A_server_with_an_append_only_file_that_is_killed_and_started_again()
    {
        const int Kills = 3;
        using var folder = new TemporaryDirectory();
        var mails = folder.Path;
        await using var servers = await OwnServers.StartAsync(new RedisTopologyOptions { Replicas = 0, Sentinels = 0,
            Persistence = RedisPersistence.AofAlways });
        await using var log = await EventLog.ConnectAsync(servers.ConnectionString, "events", Durability.Memory);
        await using var state = StartWorker(State, servers.ConnectionString, log.Stream, "one", mails);
        await using var mailer = StartWorker(Mail, servers.ConnectionString, log.Stream, "one", mails);
        for (var kill = 0; kill < Kills; kill++)
        {
            var restarted = Task.CompletedTask;
            await log.AppendAsync(300, atHalf: () =>
            {
                servers.Server.Kill();
                restarted = servers.Server.StartAsync();
            });
            await restarted;
        }
        await DoneAsync(log, State);
        await DoneAsync(log, Mail);

        await CheckAsync("Redis with AOF, and started again", Kills, log, State, mails);
        await CheckAsync("Redis with AOF, and started again", Kills, log, Mail, mails);
    }

    [Fact]
    public async Task A_primary_that_is_killed_and_replaced_by_a_replica()
    {
        using var folder = new TemporaryDirectory();
        var mails = folder.Path;
        await using var servers = await OwnServers.StartAsync(new RedisTopologyOptions());
        await using var log = await EventLog.ConnectAsync(servers.ConnectionString, "events", Durability.Replica);
        await using var state = StartWorker(State, servers.ConnectionString, log.Stream, "one", mails);
        await using var mailer = StartWorker(Mail, servers.ConnectionString, log.Stream, "one", mails);

        await log.AppendAsync(600, atHalf: servers.Server.Kill);

        await servers.Redis.WaitForPrimaryOtherThanAsync(servers.Redis.Topology.Primary);
        await DoneAsync(log, State);
        await DoneAsync(log, Mail);
        await CheckAsync("the primary, and Sentinel promotes a replica", 1, log, State, mails);
        await CheckAsync("the primary, and Sentinel promotes a replica", 1, log, Mail, mails);
    }

    private static ServiceProcess StartWorker(
        string kind, string connectionString, string stream, string consumer, string mails, CrashPoint point = CrashPoint.None, int nth = 1)
        => PuppetProcess.Start(
            "stream-worker", [kind, connectionString, stream, consumer, mails, point.ToString(),
            nth.ToString(CultureInfo.InvariantCulture)]);

    private static async Task<bool> HasReadAsync(EventLog log, string group, string consumer)
        => (await log.Database.StreamConsumerInfoAsync(log.Stream, group)).Any(c => c.Name == consumer);

    /// <summary>Until the group has nothing unread and nothing pending.</summary>
    private static Task DoneAsync(EventLog log, string group)
        => Eventually.TrueAsync(
            // Not by the lag, which a promoted replica counts wrongly.
            async () => (await log.Database.StreamGroupInfoAsync(log.Stream))
                .Single(g => g.Name == group) is { PendingMessageCount: 0, LastDeliveredId: var read }
                && read == (await log.Database.StreamInfoAsync(log.Stream)).LastGeneratedId,
            $"the group {group} has handled everything", TimeSpan.FromSeconds(60));

    private async Task CheckAsync(string fault, int kills, EventLog log, string kind, string mails)
    {
        var outcome = kind == State
            ? Outcome.OfState(fault, kills, log, (await log.Database.HashGetAllAsync($"{log.Stream}:effects"))
            .ToDictionary(e => (int)e.Name, e => (int)e.Value))
            : Outcome.OfMails(fault, kills, log, Directory.GetFiles(mails).Select(f => Path.GetFileName(f)));
        matrix.Add(outcome);
        Assert.True(outcome.IsRight, outcome.ToString());
    }
}
