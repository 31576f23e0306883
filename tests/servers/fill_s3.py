#!/usr/bin/env python3
"""fill_s3.py ENDPOINT KEY FOLDER: the folder into the buckets "bucket" and "public", with
boto3; a file of more than 8 MB in parts, so that its etag is no MD5. The second one may be read
without credentials. STUB_SECRET is the key's secret."""
import json
import os
import sys

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

endpoint, key, folder = sys.argv[1:]
secret = os.environ["STUB_SECRET"]
s3 = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=key, aws_secret_access_key=secret,
                  region_name="us-east-1", config=Config(s3={"addressing_style": "path"}))
for bucket in "bucket", "public":
    s3.create_bucket(Bucket=bucket)
    for d, _, files in os.walk(folder):
        for f in files:
            path = os.path.join(d, f)
            s3.upload_file(path, bucket, os.path.relpath(path, folder),
                           Config=TransferConfig(multipart_threshold=8 << 20,
                                                 multipart_chunksize=8 << 20))
s3.put_bucket_policy(Bucket="public", Policy=json.dumps({
    "Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": ["s3:ListBucket"],
         "Resource": ["arn:aws:s3:::public"]},
        {"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject"],
         "Resource": ["arn:aws:s3:::public/*"]}]}))
