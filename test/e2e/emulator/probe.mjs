// node probe.mjs OWN_BUCKET OTHER_BUCKET: what a compromised job would try, from inside one. One line of JSON
// for each attempt: { what, got }, where `got` begins with "denied" or tells what it got.
import { access, constants, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { BatchClient, SubmitJobCommand } from '@aws-sdk/client-batch';
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';

const [own, other] = process.argv.slice(2);
const settings = { maxAttempts: 1, requestHandler: { connectionTimeout: 5000 } };
const s3 = new S3Client({ ...settings, forcePathStyle: true });
const foreign = new S3Client({
  ...settings,
  forcePathStyle: true,
  credentials: { accessKeyId: 'AKIAFOREIGNFOREIGN00', secretAccessKey: 'foreign' },
});

const dial = (host, port) =>
  new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: 5000 }, () => resolve(socket.destroy()));
    socket.on('error', reject);
    socket.on('timeout', () => reject(new Error('no answer')));
  });
const send = (client, command) => client.send(command);
const put = (Bucket, Key, client = s3) =>
  send(client, new PutObjectCommand({ Bucket, Key, Body: 'planted' }));

const ATTEMPTS = {
  'be root': async () => process.getuid() === 0 || fail('EPERM'),
  'write into its root': () => writeFile('/planted', ''),
  'write beside its program': () => writeFile(new URL('planted', import.meta.url), ''),
  'write into /tmp': () => writeFile('/tmp/planted', ''),
  'write into a home': () => access(process.env.HOME ?? '/', constants.W_OK),
  "read root's folder": () => access('/root', constants.R_OK),
  'take credentials of the instance': () => dial('169.254.169.254', 80),
  'reach an address of the internet': () => dial('198.51.100.7', 443),
  'reach a name of the internet': () => dial('mobile.events.data.microsoft.com', 443),
  'send to a queue': () =>
    send(
      new SQSClient(settings),
      new SendMessageCommand({
        QueueUrl: `${process.env.AWS_ENDPOINT_URL}/1/q`,
        MessageBody: '{}',
      }),
    ),
  'start a job': () =>
    send(
      new BatchClient(settings),
      new SubmitJobCommand({ jobName: 'a', jobQueue: 'b', jobDefinition: 'c' }),
    ),
  'describe the stack': () =>
    send(new CloudFormationClient(settings), new DescribeStacksCommand({})),
  'list the bucket of another site': () =>
    send(s3, new ListObjectsV2Command({ Bucket: other, MaxKeys: 1 })),
  'put a scan into the bucket of another site': () => put(other, 'incoming/liver/images/a.nii'),
  'put a scan elsewhere with credentials of another account': () => put(own, 'work/a', foreign),
  'replace the active bundle': () => put(own, 'models/active.json'),
  'write a result': () => put(own, 'cases/liver/planted/0123456789abcdef/report.json'),
  'write the state of a run': () => put(own, 'runs/0123456789abcdef.json'),
  'read an upload': () =>
    send(s3, new GetObjectCommand({ Bucket: own, Key: 'incoming/liver/images/array.nii.gz' })),
  'delete an upload': () =>
    send(s3, new DeleteObjectCommand({ Bucket: own, Key: 'incoming/liver/images/array.nii.gz' })),
  // What it may, so that a network that lets nothing through is no proof.
  'write its work': () => put(own, 'work/0123456789abcdef/work/masks/planted'),
};

function fail(code) {
  throw Object.assign(new Error(code), { code });
}

for (const [what, attempt] of Object.entries(ATTEMPTS)) {
  let got = 'done';
  try {
    await attempt();
  } catch (error) {
    got = `denied: ${error.code ?? error.name}`;
  }
  process.stdout.write(`${JSON.stringify({ event: 'probe', what, got })}\n`);
}
