using AspireRedis.Coordination;
using AspireRedis.Coordination.Locking;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace AspireRedis.Samples.Tests.Snippets;

/// <summary>The code of docs/locks.md.</summary>
internal static class LeaseSnippets
{
    public static void Redlock(IHostApplicationBuilder builder)
    {
        #region redlock
        builder.Services.AddRedlock("locks");   // ConnectionStrings:locks = host1:6379,host2:6379,host3:6379,password=x
        #endregion
    }

    public static async Task SharedAsync(ISharedLeaseProvider leases)
    {
        #region shared
        await using var reading = await leases.Shared.AcquireAsync("catalogue");
        await using var writing = await leases.Exclusive.AcquireAsync("catalogue");
        #endregion
    }

    #region redlock-provider
    public sealed class NightlyReport([FromKeyedServices("locks")] ILeaseProvider leases)
    {
        public async Task RunAsync()
        {
            await using var lease = await leases.AcquireAsync("nightly-report");
        }
    }
    #endregion
}
