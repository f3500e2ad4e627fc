using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace AspireRedis.Coordination.Regions;

/// <summary>
/// What a region had at one moment, as a file in the format of Redis (RDB) with a description beside it. Immutable.
/// </summary>
/// <param name="Region">Whose server it was taken from.</param>
/// <param name="ActiveRegion">The region that had made the writes last; null when none had been active yet.</param>
/// <param name="Epoch">The epoch of <paramref name="ActiveRegion"/>; 0 when none had been active yet.</param>
/// <param name="Server">The server: <c>host:port</c>.</param>
/// <param name="RedisVersion">Its version. An older server may be unable to read the file.</param>
/// <param name="ReplicationId">The history of its writes; with <paramref name="Offset"/> it names the moment.</param>
/// <param name="Offset">The position in that history.</param>
/// <param name="TakenAt">When it was taken, by the clock of who took it.</param>
/// <param name="Size">The size of the file in bytes.</param>
/// <param name="Sha256">Its checksum, in hexadecimal digits.</param>
public sealed record RegionBackup(
    string Region, string? ActiveRegion, long Epoch, string Server, string RedisVersion, string ReplicationId, long Offset,
    DateTimeOffset TakenAt, long Size, string Sha256)
{
    /// <summary>The name of the file with the data.</summary>
    public const string DataFile = "dump.rdb";

    /// <summary>The name of the file with the description. It is written last: a folder without it has no backup.</summary>
    public const string DescriptionFile = "backup.json";

    /// <summary>Reads the description in a folder, and compares size and checksum of the data.</summary>
    /// <param name="directory">The folder.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="RegionException">There is no backup in it, or it is not whole.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static async Task<RegionBackup> OpenAsync(string directory, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(directory);
        var description = Path.Combine(directory, DescriptionFile);
        var data = Path.Combine(directory, DataFile);
        try
        {
            if (!File.Exists(description))
            {
                throw new RegionException($"There is no backup in '{directory}': it has no {DescriptionFile}.");
            }
            await using var text = File.OpenRead(description);
            var backup = await JsonSerializer.DeserializeAsync(text, RegionBackupJson.Default.RegionBackup, cancellationToken)
                ?? throw new RegionException($"{description} is empty.");
            await using var file = File.OpenRead(data);
            if (file.Length != backup.Size)
            {
                throw new RegionException($"{data} has {file.Length} bytes, and {description} says {backup.Size}: it is not whole.");
            }
            var checksum = Convert.ToHexStringLower(await SHA256.HashDataAsync(file, cancellationToken));
            return checksum.Equals(backup.Sha256, StringComparison.OrdinalIgnoreCase) ? backup
                : throw new RegionException($"{data} has the checksum {checksum}, and {description} says {backup.Sha256}: it was changed.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new RegionException($"The backup in '{directory}' cannot be read: {e.Message}", isChanged: false, e);
        }
    }

    internal async Task WriteAsync(string path, CancellationToken cancellationToken)
    {
        await using var file = new FileStream(path, OwnersOnly(FileMode.CreateNew));
        await JsonSerializer.SerializeAsync(file, this, RegionBackupJson.Default.RegionBackup, cancellationToken);
        file.Flush(flushToDisk: true);
    }

    /// <summary>A file that only its owner reads: it has the data of customers.</summary>
    internal static FileStreamOptions OwnersOnly(FileMode mode)
    {
        var options = new FileStreamOptions { Mode = mode, Access = FileAccess.Write, Options = FileOptions.Asynchronous };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }
        return options;
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(RegionBackup))]
internal sealed partial class RegionBackupJson : JsonSerializerContext;
