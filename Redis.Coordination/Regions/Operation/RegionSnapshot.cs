using System.Globalization;
using System.Security.Cryptography;
using AspireRedis.Coordination.Regions.Nodes;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Coordination.Regions.Operation;

/// <summary>
/// Takes a backup of a region: asks one of its servers for a full copy as a new replica would (<c>PSYNC</c>), so that the position of the
/// copy is known, and no file of the server needs to be reached. Source:
/// https://redis.io/docs/latest/operate/oss_and_stack/management/replication/.
/// </summary>
internal sealed class RegionSnapshot(RegionServers region, TimeProvider clock, ILogger logger)
{
    // The server writes its copy first, and says every ten seconds that it is at it.
    private static readonly TimeSpan s_silence = TimeSpan.FromSeconds(60);

    /// <param name="directory">The folder; it must be empty, or not exist.</param>
    /// <param name="progress">Hears of the bytes that are there; null for nobody.</param>
    /// <param name="cancellationToken">Ends it; nothing is left then.</param>
    public async Task<RegionBackup> TakeAsync(string directory, IProgress<RegionProgress>? progress, CancellationToken cancellationToken)
    {
        if (Directory.Exists(directory) ? Directory.EnumerateFileSystemEntries(directory).Any() : File.Exists(directory))
        {
            throw new RegionException($"'{directory}' is not empty, and nothing in it is overwritten; name another folder.");
        }
        var source = SourceOf(await region.LookAsync(cancellationToken))
            ?? throw new RegionException($"No server of region '{region.Region.Name}' answers, or none is in sync: there is nothing to copy.");
        var isNew = !Directory.Exists(directory);
        try
        {
            Directory.CreateDirectory(directory);
            var backup = await CopyAsync(source, Path.Combine(directory, RegionBackup.DataFile), progress, cancellationToken);
            await backup.WriteAsync(Path.Combine(directory, RegionBackup.DescriptionFile), cancellationToken);
            logger.LogInformation("{Size} bytes of {Server} are in {Directory}: {ActiveRegion}, epoch {Epoch}, position {Offset}.", backup.Size,
                backup.Server, directory, backup.ActiveRegion ?? "no region", backup.Epoch, backup.Offset);
            return backup;
        }
        catch (Exception e)
        {
            Discard(directory, isNew);
            throw e is UnauthorizedAccessException || RegionPromotion.IsAway(e, cancellationToken)
                ? new RegionException($"No backup was taken: {e.Message}", isChanged: false, e) : e;
        }
    }

    /// <summary>
    /// A replica before the primary: it has less to do, and Sentinels ask the primary alone who follows it, so they never take us for a
    /// replica. The last of the chain first.
    /// </summary>
    internal static ServerState? SourceOf(IReadOnlyList<ServerState> servers)
        => servers.Where(s => s.Info.IsLinked).OrderBy(s => s.IsPrimary).ThenBy(s => s.Info.Replicas.Count).FirstOrDefault();

    private async Task<RegionBackup> CopyAsync(
        ServerState source, string path, IProgress<RegionProgress>? progress, CancellationToken cancellationToken)
    {
        var info = (string)(await source.Link.ExecuteAsync(cancellationToken, "INFO", "server"))!;
        var version = info.Split("\r\n").FirstOrDefault(l => l.StartsWith("redis_version:", StringComparison.Ordinal))?["redis_version:".Length..];
        await using var connection = await source.Link.OpenAsync(cancellationToken);
        // It ends the connection behind the copy, instead of sending what is written from then on.
        await connection.ExecuteAsync(cancellationToken, "REPLCONF", "rdb-only", 1);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            deadline.CancelAfter(s_silence);
            await connection.Stream.WriteAsync(["PSYNC", "?", -1], deadline.Token);
            var answer = (await connection.Stream.ReadLineAsync(deadline.Token)).TrimStart('\n').Split(' ');
            if (answer is not ["+FULLRESYNC", var id, var offset])
            {
                throw new RegionException($"{source.Link.Name} gives no copy of its data: {string.Join(' ', answer)}");
            }
            var takenAt = clock.GetUtcNow();
            // While it writes the copy it sends line ends, each of which is read as a part of this one.
            deadline.CancelAfter(s_silence * 10);
            var length = (await connection.Stream.ReadLineAsync(deadline.Token)).TrimStart('\n');
            if (!length.StartsWith('$') || !long.TryParse(length[1..], NumberStyles.None, CultureInfo.InvariantCulture, out var size))
            {
                throw new RegionException($"{source.Link.Name} gives no copy of its data: {length}");
            }
            using var checksum = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            await using (var file = new FileStream(path, RegionBackup.OwnersOnly(FileMode.CreateNew)))
            {
                var copied = 0L;
                while (copied < size)
                {
                    deadline.CancelAfter(s_silence);
                    var part = await connection.Stream.ReadPartAsync(size - copied, deadline.Token);
                    checksum.AppendData(part.Span);
                    await file.WriteAsync(part, deadline.Token);
                    copied += part.Length;
                    progress?.Report(new RegionProgress(copied, size));
                }
                file.Flush(flushToDisk: true);
            }
            return new RegionBackup(region.Region.Name, source.Last?.Region, source.Last?.Epoch ?? 0, source.Link.Name, version ?? "", id,
                long.Parse(offset, CultureInfo.InvariantCulture), takenAt, size, Convert.ToHexStringLower(checksum.GetHashAndReset()));
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new RegionException($"No backup was taken: {source.Link.Name} sent nothing for {s_silence.TotalSeconds} s.", false, e);
        }
    }

    /// <summary>Half a copy is none.</summary>
    private static void Discard(string directory, bool isNew)
    {
        try
        {
            File.Delete(Path.Combine(directory, RegionBackup.DataFile));
            File.Delete(Path.Combine(directory, RegionBackup.DescriptionFile));
            if (isNew && Directory.Exists(directory))
            {
                Directory.Delete(directory);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Without a description it is no backup, and the reason of before matters more.
        }
    }
}
