using System.Diagnostics;
using Microsoft.Extensions.Options;
using MimeKit;

namespace AspireRedis.Notifications;

/// <summary>
/// Writes each mail to a folder as <c>EVENT-ID.eml</c> (RFC 5322). A reader of the folder never sees a partial file, and a
/// second delivery of the event replaces the file of the first.
/// </summary>
internal sealed class PickupFolder : IMailTransport
{
    private static readonly FormatOptions s_format = InternetFormat();

    private readonly string _folder;

    public PickupFolder(IOptions<MailOptions> options, IHostEnvironment environment, ILogger<PickupFolder> logger)
    {
        _folder = Path.GetFullPath(options.Value.PickupFolder, environment.ContentRootPath);
        logger.LogInformation("Mails are written to the folder {Folder}: no Mail:Smtp:Host is configured.", _folder);
    }

    public string Name => "pickup folder";

    public void Describe(Activity span)
    {
        // The folder is of no use in a trace.
    }

    public async Task SendAsync(MimeMessage mail, CancellationToken cancellationToken)
    {
        var messageId = mail.MessageId ?? throw new ArgumentException("The mail has no Message-ID.", nameof(mail));
        var id = messageId[..messageId.IndexOf('@', StringComparison.Ordinal)];
        // Each time, since the folder may be removed while the service runs.
        Directory.CreateDirectory(_folder);
        // Renaming is atomic within one file system only, hence the same folder.
        var temporary = Path.Combine(_folder, $".{id}.{Guid.NewGuid():N}.tmp");
        try
        {
            await using (var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None))
            {
                await mail.WriteToAsync(s_format, file, cancellationToken);
                // To disk, since the entry is acknowledged next and the mail would not be sent again.
                file.Flush(flushToDisk: true);
            }
            File.Move(temporary, Path.Combine(_folder, $"{id}.eml"), overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    private static FormatOptions InternetFormat()
    {
        var format = FormatOptions.Default.Clone();
        format.NewLineFormat = NewLineFormat.Dos;
        format.EnsureNewLine = true;
        return format;
    }
}
