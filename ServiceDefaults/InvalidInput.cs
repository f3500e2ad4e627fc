using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace AspireRedis.ServiceDefaults;

/// <summary>The answer to input that an endpoint itself finds wrong, as the framework answers what it validates.</summary>
public static class InvalidInput
{
    /// <summary>400, as problem details.</summary>
    /// <param name="name">The parameter, header or member.</param>
    /// <param name="message">What is wrong with it.</param>
    public static ValidationProblem Of(string name, string message)
        => TypedResults.ValidationProblem(new Dictionary<string, string[]> { [name] = [message] });
}
