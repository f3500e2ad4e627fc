namespace AspireRedis.LocalServers;

/// <summary>Thrown by a look of <see cref="Poll"/> when the condition can no longer come true: ends the wait at once.</summary>
public sealed class StopWaitingException : InvalidOperationException
{
    /// <summary>Without a reason.</summary>
    public StopWaitingException()
    {
    }

    /// <summary>With a reason.</summary>
    /// <param name="message">Why the condition cannot come true.</param>
    public StopWaitingException(string message)
        : base(message)
    {
    }

    /// <summary>With a reason and its cause.</summary>
    /// <param name="message">Why the condition cannot come true.</param>
    /// <param name="innerException">The cause.</param>
    public StopWaitingException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
