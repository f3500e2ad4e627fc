namespace AspireRedis.Topology;

/// <summary>How to log in at a node.</summary>
/// <param name="User">Null for the user <c>default</c>.</param>
/// <param name="Password">The password.</param>
internal sealed record RedisLogin(string? User, string Password)
{
    public string[] Command => User is null ? ["AUTH", Password] : ["AUTH", User, Password];

    /// <summary>As connection strings have it, with a comma before it.</summary>
    public string Suffix => User is null ? $",password={Password}" : $",user={User},password={Password}";

    public override string ToString() => User ?? "default";
}
