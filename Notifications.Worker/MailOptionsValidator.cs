using AspireRedis.Coordination;
using MailKit.Security;
using Microsoft.Extensions.Options;
using MimeKit;

namespace AspireRedis.Notifications;

internal sealed class MailOptionsValidator : IValidateOptions<MailOptions>
{
    private static readonly TimeSpan s_maxTimeout = TimeSpan.FromMinutes(5);

    public ValidateOptionsResult Validate(string? name, MailOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var errors = new ValidateOptionsResultBuilder();
        if (!MailboxAddress.TryParse(options.From, out var from) || string.IsNullOrEmpty(from.Domain))
        {
            errors.AddError("must be an address with a domain, as in 'Shop <shop@example.org>'.", "Mail:From");
        }
        if (!Enum.IsDefined(options.Durability))
        {
            errors.AddError($"must be one of {string.Join(", ", Enum.GetNames<Durability>())}.", "Mail:Durability");
        }
        var smtp = options.Smtp;
        if (string.IsNullOrWhiteSpace(smtp.Host))
        {
            if (string.IsNullOrWhiteSpace(options.PickupFolder))
            {
                errors.AddError("must name a folder unless Mail:Smtp:Host is set.", "Mail:PickupFolder");
            }
            return errors.Build();
        }
        if (smtp.Port is < 1 or > 65535)
        {
            errors.AddError("must be from 1 to 65535.", "Mail:Smtp:Port");
        }
        if (smtp.Timeout <= TimeSpan.Zero || smtp.Timeout > s_maxTimeout)
        {
            errors.AddError($"must be above zero and at most {s_maxTimeout}.", "Mail:Smtp:Timeout");
        }
        if (!Enum.IsDefined(smtp.Security))
        {
            errors.AddError($"must be one of {string.Join(", ", Enum.GetNames<SecureSocketOptions>())}.", "Mail:Smtp:Security");
        }
        if (smtp.UserName.Length > 0 && smtp.Security is not (SecureSocketOptions.StartTls or SecureSocketOptions.SslOnConnect))
        {
            errors.AddError("must be StartTls or SslOnConnect, or the password could go over the network in the clear.",
                "Mail:Smtp:Security");
        }
        if (smtp.UserName.Length == 0 != (smtp.Password.Length == 0))
        {
            errors.AddError("must be set together with Mail:Smtp:Password.", "Mail:Smtp:UserName");
        }
        return errors.Build();
    }
}
