namespace AspireRedis.Hosting.Resources;

/// <summary>How Redis runs; the setting <c>Redis:Mode</c>.</summary>
internal enum RedisMode
{
    /// <summary>In containers when a container engine answers, else as executables. The default.</summary>
    Auto = 0,

    /// <summary>In containers.</summary>
    Container = 1,

    /// <summary>As processes of the locally installed <c>redis-server</c>.</summary>
    Executable = 2,
}
