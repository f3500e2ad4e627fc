using System.Diagnostics;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using AspireRedis.Coordination.Regions.Nodes;
using AspireRedis.Coordination.Regions.Permission;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Coordination.Regions.Operation;

/// <summary>
/// Makes a region that was lost a standby of the other one. What it has written and the other one has not is read first, from its
/// replication stream if its primary has lived through it, else from its append-only file, and kept in a file for people.
/// </summary>
internal sealed class RegionFailback(RegionServers lost, RegionServers active, RegionOperator regions, ILogger logger)
{
    // More than there are: the server takes no writes, and is read as before.
    private const string NoWrites = "100";

    public async Task<RegionFailbackResult> RunAsync(RegionPermit permit, string file,
        Func<EndPoint, string, CancellationToken, Task<string>> filesOf, Activity? activity, CancellationToken cancellationToken)
    {
        var standby = regions.StandbyOf(lost.Region.Name);
        var primary = await active.FindPrimaryAsync(cancellationToken)
            ?? throw new RegionException($"The primary of region '{active.Region.Name}' is not reached.");
        var head = standby.HeadOf(await lost.LookAsync(cancellationToken))
            ?? throw new RegionException($"No server of region '{lost.Region.Name}' answers.");
        if (head.Primary is { } followed && followed.Equals(active.AddressForOther(primary.Link)))
        {
            throw new RegionException($"Region '{lost.Region.Name}' is a standby already: {head.Link.Name} follows {primary.Link.Name}.");
        }
        if (File.Exists(file))
        {
            throw new RegionException($"{file} exists, and is not overwritten.");
        }
        await standby.ForgetAsync(cancellationToken);
        var allowed = (string)((object?[])(await head.Link.ExecuteAsync(cancellationToken, "CONFIG", "GET", "min-replicas-to-write"))!)[1]!;
        if (allowed == NoWrites)
        {
            // Left by one that was killed.
            allowed = "0";
        }
        await head.Link.ExecuteAsync(cancellationToken, "CONFIG", "SET", "min-replicas-to-write", NoWrites);
        regions.Did("closed", activity);
        try
        {
            head = await RegionServers.LookAsync(head.Link, cancellationToken)
                ?? throw new RegionException($"{head.Link.Name} does not answer any more.");
            var (writes, isExact) = await ReadAsync(head, primary, filesOf, cancellationToken);
            regions.Did("read", activity);
            await KeepAsync(file, head, writes, cancellationToken);
            regions.Did("kept", activity);
            // In one step: who dies behind it leaves a standby that takes writes when it is promoted.
            await lost.FollowOtherAsync(head.Link, active.AddressForOther(primary.Link), active.Region, permit.Epoch, cancellationToken,
                ["CONFIG", "SET", "min-replicas-to-write", allowed]);
            regions.Did("following", activity);
            logger.LogInformation("Region {Region} is a standby again; {Count} writes that {Active} has not are in {File}.",
                lost.Region.Name, writes.Count, active.Region.Name, file);
            return new RegionFailbackResult(lost.Region.Name, writes.Count, isExact, Path.GetFullPath(file));
        }
        finally
        {
            // In its file too: it was written while none were allowed.
            await head.Link.TryAsync(CancellationToken.None, ["CONFIG", "SET", "min-replicas-to-write", allowed], ["CONFIG", "REWRITE"]);
        }
    }

    private static async Task<(IReadOnlyList<string[]> Writes, bool IsExact)> ReadAsync(
        ServerState head, ServerState primary, Func<EndPoint, string, CancellationToken, Task<string>> filesOf,
        CancellationToken cancellationToken)
    {
        if (await RegionStandby.SurplusAsync(head, primary, cancellationToken) is { } surplus)
        {
            return (surplus, true);
        }
        // It was started again: what it was before it knows by its file only. The last mark that came over tells the place.
        var former = await primary.Link.ExecuteAsync(cancellationToken, "GET", RegionPermit.FormerKey) as string;
        var settings = await head.Link.PipelineAsync(cancellationToken, ["CONFIG", "GET", "dir"], ["CONFIG", "GET", "appenddirname"],
            ["CONFIG", "GET", "appendfilename"]);
        var (dir, folder, name) = (Value(0), Value(1), Value(2));
        var directory = await filesOf(head.Link.Node, Path.Combine(dir, folder), cancellationToken);
        try
        {
            var (commands, isExact) = await AppendOnlyFile.ReadAsync(directory, name,
                command => command.Length > 2 && command[1] == RegionPermit.LastKey && command[2] == former, cancellationToken);
            return (ReplicationTail.Writes(commands), isExact);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RegionException(
                $"{head.Link.Name} was started again, and its append-only file in '{directory}' cannot be read from here: {e.Message}", false, e);
        }

        string Value(int setting) => (string)((object?[])settings[setting]!)[1]!;
    }

    /// <summary>On the disk before anything is overwritten.</summary>
    private async Task KeepAsync(string file, ServerState head, IReadOnlyList<string[]> writes, CancellationToken cancellationToken)
    {
        await using var stream = new FileStream(file, FileMode.CreateNew, FileAccess.Write, FileShare.Read);
        foreach (var write in writes)
        {
            var bytes = write.Select(RespStream.Bytes.GetBytes).ToList();
            var isText = bytes.TrueForAll(b => Utf8.IsValid(b));
            var line = new LostWrite(lost.Region.Name, head.Last?.Epoch ?? 0, head.Link.Name, isText ? "utf-8" : "base64",
                [.. bytes.Select(b => isText ? Encoding.UTF8.GetString(b) : Convert.ToBase64String(b))]);
            await JsonSerializer.SerializeAsync(stream, line, LostWriteJson.Default.LostWrite, cancellationToken);
            stream.WriteByte((byte)'\n');
        }
        stream.Flush(flushToDisk: true);
    }
}
