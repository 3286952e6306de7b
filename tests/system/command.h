// Running the real programs as their user would, each test in a home of its own.
#pragma once

#include <QtTest>

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QTemporaryDir>

namespace millrace::test {

inline QString program(const char* name)
{
    return QStringLiteral(MILLRACE_BINARY_DIR "/bin/") + QString::fromLatin1(name);
}

inline QString quickStart()
{
    return QStringLiteral(MILLRACE_SOURCE_DIR "/resources/templates/quick_start.millrace");
}

/// The folder with MNIST's test images and the Shakespeare text; empty where they are not.
inline QString sharedData()
{
    for (const QString& folder :
         {qEnvironmentVariable("MILLRACE_TEST_DATA_FOLDER"), QStringLiteral(MILLRACE_SOURCE_DIR "/../shared/data")})
        if (!folder.isEmpty() && QFile::exists(folder + QStringLiteral("/t10k-images-idx3-ubyte.gz"))) return folder;
    return {};
}

struct Outcome
{
    int status = -1;
    QByteArray output, errors;
    QJsonObject json() const { return QJsonDocument::fromJson(output).object(); }
    QJsonArray array() const { return QJsonDocument::fromJson(output).array(); }
};

/// A $MILLRACE_HOME and the command that works in it.
class Home
{
public:
    QString path() const { return m_folder.path(); }
    QString filePath(const char* name) const { return m_folder.filePath(QString::fromUtf8(name)); }

    void prepare(QProcess& process) const
    {
        QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
        environment.insert(QStringLiteral("MILLRACE_HOME"), path());
        process.setProcessEnvironment(environment);
        process.setProgram(program("millrace"));
    }
    Outcome run(const QStringList& arguments, int timeoutMs = 120000) const
    {
        QProcess process;
        prepare(process);
        process.setArguments(arguments);
        process.start();
        process.closeWriteChannel();
        if (!process.waitForFinished(timeoutMs)) {
            process.kill();
            process.waitForFinished();
            return {-2, process.readAllStandardOutput(), process.readAllStandardError() + "\n(timed out)"};
        }
        return {process.exitStatus() == QProcess::NormalExit ? process.exitCode() : -1, process.readAllStandardOutput(),
                process.readAllStandardError()};
    }
    QByteArray modelBytes(const QString& run, const char* stage = "register") const
    {
        QFile file(
            QStringLiteral("%1/runs/%2/artifacts/%3/model.safetensors").arg(path(), run, QString::fromLatin1(stage)));
        return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
    }

private:
    QTemporaryDir m_folder;
};

inline void writeFile(const QString& path, const QByteArray& content)
{
    QFile file(path);
    QVERIFY2(file.open(QIODevice::WriteOnly), qPrintable(path));
    file.write(content);
}

} // namespace millrace::test
