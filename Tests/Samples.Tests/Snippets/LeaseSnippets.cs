using AspireRedis.Coordination;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Locking.Redlock;
using Microsoft.Extensions.Hosting;

namespace AspireRedis.Samples.Tests.Snippets;

/// <summary>The code of docs/locks.md.</summary>
internal static class LeaseSnippets
{
    public static async Task RedlockAsync(IHostApplicationBuilder builder, RedlockProvider redlock)
    {
        #region redlock
        builder.Services.AddRedlock("locks");   // ConnectionStrings:locks = host1:6379,host2:6379,host3:6379,password=x

        await using var lease = await redlock.AcquireAsync("nightly-report");
        #endregion
    }

    public static async Task SharedAsync(ISharedLeaseProvider leases)
    {
        #region shared
        await using var reading = await leases.Shared.AcquireAsync("catalogue");
        await using var writing = await leases.Exclusive.AcquireAsync("catalogue");
        #endregion
    }
}
