import type { Site } from '../contract/config.ts';
import type { CanaryScan, DeploymentFacts, RunFacts } from './facts.ts';
import { type Finding, fault, judged, well } from './finding.ts';

/** Of the driver, for CUDA 13 (gpu-jobs/infer/Dockerfile). */
const OLDEST_DRIVER = 580;

/** What the site's own results say of it. */
export const judgeResults = (facts: DeploymentFacts, site: Site): readonly Finding[] => [
  ...judged('canary', facts.canary, (scans) => judgeCanary(scans, facts.stack.changedAt, site)),
  ...judged('targets', facts.targets, (all) => all.map((one) => judgeTarget(one, site))),
  ...judged('gpu', facts.lastRun, (run) => judgeRun(run, site)),
];

function judgeCanary(scans: readonly CanaryScan[], deployedAt: string, site: Site): Finding {
  const check = 'canary';
  if (site.evaluation.canaryCases === 0)
    return fault(
      check,
      'warning',
      'none at this site',
      'A deployment or a bundle that makes other masks is noticed by nobody.',
      `Set "evaluation.canaryCases" to 2, then npx cdk deploy -c site=${site.site}`,
    );
  const bad = scans.filter(({ verdict }) => verdict !== 'as-before');
  if (bad.length > 0)
    return fault(
      check,
      'problem',
      bad.map(({ caseId, verdict }) => `${caseId} ${verdict}`).join(', '),
      'What the deployed site makes of known scans is not what the same bundle made before.',
      `sammix site fetch ${site.site} --dataset canary --out canary   # its report says why; after an activation: sammix site rollback ${site.site}`,
    );
  if (scans.length < site.evaluation.canaryCases)
    return fault(
      check,
      'warning',
      `${scans.length} of ${site.evaluation.canaryCases} scans were ever sent`,
      'The deployed site has not yet shown that it works.',
      `sammix site register ${site.site} --activate   # the first bundle starts the canary; later a deployment does`,
    );
  const oldest = scans.map(({ uploadedAt }) => uploadedAt).sort()[0] ?? '';
  if (oldest < deployedAt)
    return fault(
      check,
      'warning',
      `the last is of ${oldest}, the deployment of ${deployedAt}`,
      'What was deployed last has not yet shown that it works; its scans take minutes, two hours at most.',
      `sammix site doctor ${site.site}   # again later; then see the log of the function canary`,
    );
  return well(check, `${scans.length} scans as before, since ${oldest}`);
}

function judgeTarget(
  { target, fault: wrong }: { readonly target: string; readonly fault: string | null },
  site: Site,
): Finding {
  if (wrong === null) return well('targets', `${target} has its bundle`);
  return fault(
    'targets',
    'problem',
    `${target}: ${wrong}`,
    'Every upload is reported as failed for this target; the others are not held up.',
    `sammix site register ${site.site} <bundle of the ${target}> --activate   # or take it out of "targets", and deploy`,
  );
}

function judgeRun(run: RunFacts | null, site: Site): Finding {
  const check = 'gpu';
  const because = 'A GPU instance that computes on its CPU costs tenfold.';
  if (run === null)
    return fault(
      check,
      'warning',
      'no run has ended yet',
      'Whether the GPU is used is known by the first run.',
      `sammix site submit ${site.site} <scan>`,
    );
  const { runId, backends, machines } = run;
  const rebuild = `Rebuild the image: npx cdk deploy -c site=${site.site}; the job's log names what did not load`;
  if (backends.length === 0 || backends.some((backend) => backend !== 'cuda'))
    return fault(
      check,
      'problem',
      `run ${runId} was computed by ${backends.join(', ') || 'nobody knows what'}, not by cuda`,
      because,
      rebuild,
    );
  const old = machines.filter(
    ({ driver }) => driver !== null && Number.parseInt(driver, 10) < OLDEST_DRIVER,
  );
  if (old.length > 0)
    return fault(
      check,
      'problem',
      `run ${runId}: driver ${old[0]?.driver}, older than ${OLDEST_DRIVER}`,
      'The CUDA libraries of the image need a newer one.',
      `npx cdk deploy -c site=${site.site}   # the newest machine image is looked up`,
    );
  const on = machines.map(
    ({ instanceType, market, gpu, driver }) =>
      `${instanceType} (${[market, gpu, driver && `driver ${driver}`].filter((one) => one !== null).join(', ')})`,
  );
  return well(check, `run ${runId} was computed by cuda on ${on.join(', ') || 'unknown machines'}`);
}
