namespace AspireRedis.Hosting.Containers;

/// <summary>The container image that nodes run in.</summary>
internal static class RedisImageTags
{
    public const string Registry = "docker.io";
    public const string Image = "library/redis";
    public const string Tag = "8.0";
}
