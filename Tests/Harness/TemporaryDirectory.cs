namespace AspireRedis.Testing;

/// <summary>A new directory of its own, deleted with its content at the end.</summary>
public sealed class TemporaryDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("aspire-redis-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
